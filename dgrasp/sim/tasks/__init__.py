"""Who arranges scenes: the paper's three simulated tasks (Sec. 4), and others."""
