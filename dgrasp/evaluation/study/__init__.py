"""The tuning studies (Sec. 3.3, 4.2): the search, its stage, and its trials as tables."""

JOURNAL = "study.journal"  # of a study, in its run's folder
