"""Demonstrations: made by the oracle in the simulated cell, kept on disk, read as a sequence (Sec. 4.1)."""
