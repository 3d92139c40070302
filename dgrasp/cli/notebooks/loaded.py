"""What notebooks load, loaded: for the process that their kernels are forked from (`kernels.py`)."""

import contextlib
import importlib

from dgrasp.cli.quiet import load_pybullet
from dgrasp.fingerprints import code_of

load_pybullet()
with contextlib.suppress(Exception):  # the cell that imports it says what is wrong
    importlib.import_module("dgrasp.report.notebook")
    code_of(["dgrasp.experiment.chain"])  # the stages' code, which each kernel else reads for a second
