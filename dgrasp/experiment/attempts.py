"""The attempts of a stage as a table, whether they stand in a build or in a record."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.rows import read_rows
from dgrasp.runs import Run

PLAIN = ("trials.csv", "attempts.csv")  # as stages write them; records keep them compressed
PACKED = tuple(f"{name}.gz" for name in PLAIN)


def read_attempts(run: Run) -> pd.DataFrame:
    """The attempts of a complete run, one row each: a build's table is plain, a record's is compressed.

    `SeriesStage.read` knows the file that the stage writes, and no other: runs of builds are found by that code. Raises
    RunError or DamagedFileError as `Run.check` does, ValueError for a run without attempts.
    """
    run.check()
    found = [path for name in (*PLAIN, *PACKED) if (path := run.path / name).is_file()]
    if not found:
        raise ValueError(f"{run.path}: no table of attempts there; expected one of {', '.join((*PLAIN, *PACKED))}")
    return read_rows(found[0])
