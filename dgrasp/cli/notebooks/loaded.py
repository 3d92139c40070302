"""What notebooks load, loaded: for the process that their kernels are forked from (`kernels.py`)."""

from dgrasp.cli.quiet import load_pybullet

load_pybullet()

import dgrasp.report.notebook  # noqa: E402, F401
