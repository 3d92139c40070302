"""A series of attempts: what the cell shows and where the starting poses come from, attempt by attempt, and a sink.

Every experiment is one: Table 1, the sweep over calibration errors and the diagnosis write rows, unit by unit in
parallel processes; Table 2 and a laboratory's trials write the log of `dgrasp.robot.log`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from dgrasp import streams
from dgrasp.cell.interface import RobotCell
from dgrasp.evaluation.attempt import Attempt, Planner, attempt
from dgrasp.evaluation.rows import Judged, Row, row
from dgrasp.files import DamagedFileError, read_sealed, write_sealed
from dgrasp.jobs.workforce import Workforce, as_they_come

Call = tuple[Callable[..., Iterable[Judged]], tuple[Any, ...], dict[str, Any]]  # what `joblib.delayed` makes of a call
Line = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Setup:
    """One attempt of a series, once the cell shows what it is about.

    address: of the stream of starting poses. It names what is shown and never the policy: the same starts for all
    policies, so that comparisons are paired. labels: what identifies the attempt in the records.
    """

    policy: Planner
    address: tuple[str | int, ...]
    labels: Mapping[str, Any]


Sink = Callable[[Setup, Attempt], AbstractContextManager[None]]  # entered before the attempt, left after it


def run_series(
    cell: RobotCell,
    setups: Iterable[Setup],
    *,
    seed: int,
    rehearse: bool = True,
    sink: Sink = lambda setup, made: nullcontext(),
) -> Iterator[tuple[Setup, Attempt]]:
    """Make the attempts of a series one after the other; `setups` sets the cell up as it goes from one to the next.

    sink: records each attempt; an error that ends one passes through it, and ends the series.
    """
    for setup in setups:
        made = Attempt()
        with sink(setup, made):
            attempt(cell, setup.policy, streams.torch_generator(seed, *setup.address), rehearse=rehearse, into=made)
        yield setup, made


def rows(cell: RobotCell, setups: Iterable[Setup], *, seed: int, rehearse: bool = True) -> Iterator[Row]:
    """The attempts of a series in a cell that judges, as rows."""
    for setup, made in run_series(cell, setups, seed=seed, rehearse=rehearse):
        yield row(made, **setup.labels)


def rows_of_units(
    units: Mapping[str, Call],
    workers: Workforce | int,
    *,
    desc: str,
    unit: str,
    folder: Path | None = None,
    shared: Path | None = None,
    order: Iterable[str] | None = None,
) -> list[Line]:
    """The rows of all units, in the units' order, made in parallel processes; as plain values.

    units: by name, the call (`joblib.delayed`) that makes a unit's rows. folder: where each unit's rows are kept, as
    JSON; units that are there, and are what was written, are not made again. shared: what workers elsewhere must see,
    if not that folder's. order: all units' names as they are begun: those side by side that share what a worker keeps.
    """
    places = {name: None if folder is None else folder / f"{name}.json" for name in units}
    made = {name: lines for name, path in places.items() if (lines := _kept(name, path)) is not None}
    todo = [joblib.delayed(_make)(name, units[name], places[name]) for name in order or units if name not in made]
    with tqdm(total=len(units), initial=len(made), desc=desc, unit=unit, mininterval=5) as progress:
        for name, lines in as_they_come(todo, workers, shared or folder):
            made[name] = lines
            progress.update()
    return [line for name in units for line in made[name]]


def _make(name: str, call: Call, path: Path | None) -> tuple[str, list[Line]]:
    make, arguments, options = call
    lines = [_plain(asdict(one)) for one in make(*arguments, **options)]
    if path is not None:
        write_sealed(path, {"unit": name, "rows": lines})
    return name, lines


def _plain(line: Line) -> Line:
    """With Python's numbers in the place of NumPy's, which JSON does not take."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in line.items()}


def _kept(name: str, path: Path | None) -> list[Line] | None:
    """The rows of a unit that was made before; None where there are none, or not as they were written."""
    if path is None or not path.is_file():
        return None
    try:
        kept = read_sealed(path)
        if kept["unit"] != name:
            raise DamagedFileError(f"{path}: holds unit {kept['unit']!r}")
    except DamagedFileError as error:
        print(f"{str(error).partition(';')[0]}; it is made again", file=sys.stderr, flush=True)
        return None
    rows: list[Line] = kept["rows"]
    return rows
