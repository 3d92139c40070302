"""Hand-eye calibration with a printed board."""
