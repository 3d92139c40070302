"""A stage in which recorded policies attempt grasps: opened, made and ended alike, whatever is attempted.

Every such stage is one object, which is called to make its run: Table 1 is `dgrasp.evaluation.table.evaluate`. Most are
a `SeriesStage`, whose attempts are rows; the twin's trials keep logs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import joblib
import pandas as pd
from pydantic import Field

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.rows import Judged, read_rows
from dgrasp.evaluation.series import rows_of_units
from dgrasp.evaluation.workers import PolicySource
from dgrasp.files import write_text
from dgrasp.jobs.workforce import Workforce
from dgrasp.policy.fingers import FingerCheck
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.tasks.paper import own_module
from dgrasp.slopes.config import OptimizerConfig


class AttemptsRecipe(Config):
    """Everything the attempts depend on besides the trained models and tuned parameters (which are input runs)."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"optimizer", "fingers"})
    cell: CellConfig
    observer: Observer
    optimizer: OptimizerConfig | None = Field(None, description="of policies that no study tuned; null: the tuned ones")
    fingers: FingerCheck | None = Field(None, description="of the policies' plans; filled in by the stage")


class PolicyUnit(Protocol):
    """What one policy attempts in one go: the unit of parallel work, and of what an interrupted stage goes on from."""

    @property
    def policy(self) -> str: ...

    @property
    def name(self) -> str:
        """Of its file: another for every unit of a run."""
        ...


Recipe = TypeVar("Recipe", bound=AttemptsRecipe)
Unit = TypeVar("Unit", bound=PolicyUnit)


@dataclass(frozen=True, eq=False)
class Asked(Generic[Recipe]):
    """What a stage is called with: see `PolicyStage.__call__`."""

    recipe: Recipe
    sources: Mapping[str, PolicySource]
    inputs: Mapping[str, Run]
    seed: int
    workers: Workforce | int


def _one_check(sources: Mapping[str, PolicySource]) -> FingerCheck | None:
    """The check of the fingers that all policies plan with; raises ValueError where they differ."""
    checks = [getattr(source, "fingers", None) for source in sources.values()]
    if any(check != checks[0] for check in checks):
        raise ValueError("policies of one stage plan with the same check of the fingers; these have several")
    return checks[0] if checks else None


def no_tasks(recipe: Any) -> Iterable[str]:
    """Of a stage that meets no task's scenes."""
    return ()


@dataclass(frozen=True, kw_only=True)
class PolicyStage(ABC, Generic[Recipe]):
    """A stage of recorded policies.

    name: its run folders begin with it. code: its entry module. tasks: those of a recipe, whose own modules are part of
    what a run is made from.
    """

    name: str
    code: str
    tasks: Callable[[Recipe], Iterable[str]] = no_tasks

    def __call__(
        self,
        recipe: Recipe,
        sources: Mapping[str, PolicySource],
        inputs: Mapping[str, Run],
        root: Path,
        *,
        seed: int,
        workers: Workforce | int,
    ) -> Run:
        """Make all attempts; returns the complete run, which is below the folder `root`.

        `sources` maps each policy's name to its recorded parts, `inputs` are the runs behind them (for the
        fingerprint). Interrupted stages go on where they stopped, and what is recorded does not depend on the number of
        workers. Raises RunError as `open_run` does.
        """
        recipe = recipe.model_copy(update={"fingers": _one_check(sources)})
        code = (self.code, *(module for task in self.tasks(recipe) for module in own_module(task)))
        run = open_run(root, self.name, recipe, inputs=inputs, seed=seed, code=code, outputs=self.outputs)
        if run.complete:
            return run
        with run.writing():
            return run if run.complete else self.make(run, Asked(recipe, sources, inputs, seed, workers))

    @property
    @abstractmethod
    def outputs(self) -> Outputs:
        """What kinds of files it writes."""

    @abstractmethod
    def make(self, run: Run, asked: Asked[Recipe]) -> Run:
        """Make and finish the run, which this process alone writes."""


@dataclass(frozen=True, kw_only=True)
class SeriesStage(PolicyStage[Recipe], Generic[Recipe, Unit]):
    """A stage whose attempts are recorded unit by unit in a folder, and then in one table.

    units: those of a recipe, in the order of the table. attempts: (recipe, source, unit, seed) -> the rows of a unit;
    a function of a module, since it goes to processes. begin_by: sorts the units in the order in which they are begun.
    doing, unit: words of the progress bar.
    """

    folder: str
    table: str = "attempts.csv"
    columns: Sequence[str]
    units: Callable[[Recipe], Iterable[Unit]]
    attempts: Callable[[Recipe, PolicySource, Unit, int], Iterable[Judged]]
    begin_by: Callable[[Unit], Any] | None = None
    doing: str
    unit: str

    @property
    def outputs(self) -> Outputs:
        """Units are what an interrupted run goes on from."""
        return Outputs(units=(f"{self.folder}/*",))

    def make(self, run: Run, asked: Asked[Recipe]) -> Run:
        """All units that are not there yet, side by side."""
        recipe, sources = asked.recipe, asked.sources
        units = list(self.units(recipe))
        lines = rows_of_units(
            {u.name: joblib.delayed(self.attempts)(recipe, sources[u.policy], u, asked.seed) for u in units},
            asked.workers,
            desc=self.doing,
            unit=self.unit,
            folder=run.path / self.folder,
            shared=run.path,
            order=[u.name for u in sorted(units, key=self.begin_by)] if self.begin_by else None,
        )
        frame = pd.DataFrame(lines, columns=list(self.columns))
        write_text(run.path / self.table, frame.to_csv(index=False, lineterminator="\n"))
        return run.finish(attempts=len(lines), successes=sum(bool(line["success"]) for line in lines))

    def read(self, run: Run) -> pd.DataFrame:
        """The attempts of a complete run of a build, one row each; raises RunError if it is not complete.

        Records keep tables compressed: `dgrasp.experiment.attempts.read_attempts` reads these, too.
        """
        run.check()
        return read_rows(run.path / self.table)
