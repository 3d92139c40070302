"""The digital twin of the real cell: what reality adds, its trials (Table 2), success against calibration error."""
