"""Demonstrations: made by the oracle in the simulated cell, kept on disk, read as a sequence (Sec. 4.1)."""

from dgrasp.data.config import DataConfig
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet, open_demonstrations
from dgrasp.data.export import read_robomimic, read_transforms, write_robomimic, write_transforms
from dgrasp.data.generate import DemonstrationsConfig, generate_demonstrations
from dgrasp.data.statistics import attempts_table, objects_table, poses_table

__all__ = [
    "DataConfig",
    "Demonstration",
    "DemonstrationSet",
    "DemonstrationsConfig",
    "attempts_table",
    "generate_demonstrations",
    "objects_table",
    "open_demonstrations",
    "poses_table",
    "read_robomimic",
    "read_transforms",
    "write_robomimic",
    "write_transforms",
]
