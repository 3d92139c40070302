"""Demonstrations: made by the oracle in the simulated cell, kept on disk, read as a sequence (Sec. 4.1)."""

from dgrasp.lazy import require_companion

require_companion(__name__)
