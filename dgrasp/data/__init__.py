"""Demonstrations: made by the oracle in the simulated cell, kept on disk, read as a sequence (Sec. 4.1)."""

from dgrasp.data.config import DataConfig
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet, open_demonstrations
from dgrasp.data.generate import DemonstrationsConfig, generate_demonstrations

__all__ = [
    "DataConfig",
    "Demonstration",
    "DemonstrationSet",
    "DemonstrationsConfig",
    "generate_demonstrations",
    "open_demonstrations",
]
