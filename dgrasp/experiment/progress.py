"""How far the chain is, and about how long it will take: read off the files of its runs, whoever makes them, and where.

    demonstrations -> Phi -> Psi -> studies -> attempts -> twin -> sweep

A stage is at work where a run of it is locked. What is left costs what this chain's own finished units took; before
there are any, what was measured on two cores (`costs.yaml`), and for stages to come that times how much slower or
faster the finished ones were. So "about".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path

from dgrasp.evaluation.study import JOURNAL
from dgrasp.experiment.profiles import Profile
from dgrasp.files import json_or_none, parse_yaml, rows_of
from dgrasp.locks import LOCK, SILENCE
from dgrasp.policy.policies import policy_spec
from dgrasp.value.models import ValueRecipe

COSTS = "costs.yaml"
USUAL = "laptop"  # whose costs a profile of one's own begins with
ENDED_TRIAL = (6, (1, 2))  # Optuna's journal: the state of a trial is set to complete or pruned


@dataclass(frozen=True)
class Stage:
    """A part of the chain. runs: pattern of its run folders; made: how many of its `count` units one folder holds."""

    name: str
    runs: str
    unit: str
    count: int
    made: Callable[[Path], int]


def stages(profile: Profile) -> tuple[Stage, ...]:
    """The stages that take time, in their order, with the numbers of their units."""
    data, evaluation, twin = profile.data, profile.evaluation, profile.twin
    policies, errors = len(evaluation.policies), len(twin.sweep.millimetres) + len(twin.sweep.degrees)
    scenes = evaluation.repetitions * sum(budget.scenes for budget in evaluation.tasks.values())
    models = {ValueRecipe(model=policy_spec(p).model, value=profile.value).trained_as for p in evaluation.policies}
    presented = len(twin.trials.objects) * twin.trials.presentations
    counted = partial(_files, "scenes/*")
    return (
        Stage("demonstrations", "demonstrations-*", "scenes", data.train_scenes + data.validation_scenes, counted),
        Stage("Phi", "nerf-*", "steps", profile.nerf.training.steps, _steps),
        Stage("Psi", "value-*", "steps of models", profile.value.steps * len(models), _steps),
        Stage("studies", "tuning-*", "trials", profile.tuning.trials * policies, _trials),
        Stage("attempts", "evaluation-*", "scenes", scenes * policies, partial(_files, "episodes/*.json")),
        Stage("twin", "twin-trials-*", "trials", presented * policies, _logged),
        Stage("sweep", "calibration-sweep-*", "errors", errors * len(twin.sweep.policies), partial(_files, "errors/*")),
    )


def usual_costs(profile: str) -> dict[str, float]:
    """Seconds per unit by stage, as measured for a shipped profile; those of `laptop` for any other."""
    text = files("dgrasp.experiment").joinpath(COSTS).read_bytes()
    known: dict[str, dict[str, float]] = parse_yaml(text, COSTS)
    return known.get(profile, known[USUAL])


@dataclass
class Seen:
    """What was seen of a stage: units `made`, those of them that were there `before`, and MiB while it was at work.

    seconds: in which the units that were not there before were made; worked: in all, to the time between two looks.
    """

    stage: Stage
    cost: float
    made: int = 0
    before: int | None = None
    seconds: float = 0.0
    worked: float = 0.0
    mib: float = 0.0

    @property
    def fresh(self) -> int:
        """Units made while we looked."""
        return 0 if self.before is None else self.made - self.before

    def left(self, factor: float) -> float:
        """Seconds; factor: how many times the usual cost other stages took."""
        each = self.seconds / self.fresh if self.fresh > 0 else factor * self.cost
        return each * max(0, self.stage.count - self.made)


@dataclass
class Progress:
    """The chain as it was last looked at. `current` is the number of the stage at work; none before the first.

    working: whether that stage is still at work, or notebooks draw what it made.
    """

    seen: list[Seen]
    current: int | None = None
    working: bool = False
    _runs: dict[str, Path] = field(default_factory=dict)  # by their names without fingerprints
    _looked: float | None = None

    @classmethod
    def of(cls, profile: Profile, costs: Mapping[str, float] | None = None) -> Progress:
        """Nothing has been seen yet."""
        known = costs or usual_costs(profile.name)
        return cls([Seen(stage, known[stage.name]) for stage in stages(profile)])

    def look(self, runs: Path, now: float, mib: float = 0.0) -> None:
        """See what is in a build's folder of runs.

        now: seconds of any clock that does not jump. mib: most memory that was taken since the last look.
        """
        since, self._looked = 0.0 if self._looked is None else now - self._looked, now
        self.working = False
        for number, seen in enumerate(self.seen):
            at_work = [path for path in sorted(runs.glob(seen.stage.runs)) if _at_work(path)]
            if not at_work:
                continue
            self._runs |= {_name(path): path for path in at_work}
            self.current, self.working = number, True
            seen.made = sum(seen.stage.made(path) for path in self._of(seen.stage, runs))
            if seen.before is None:
                seen.before = seen.made
            else:
                seen.seconds += since
            seen.worked += since
            seen.mib = max(seen.mib, mib)

    def _of(self, stage: Stage, runs: Path) -> list[Path]:
        """A folder for each name of the stage's runs: one that was at work, else the newest."""
        newest = {_name(path): path for path in sorted(runs.glob(stage.runs), key=lambda path: path.stat().st_mtime)}
        return [self._runs.get(name, path) for name, path in newest.items()]

    @property
    def factor(self) -> float:
        """How many times their usual cost finished units took; 1 before there are any."""
        usual = sum(seen.cost * seen.fresh for seen in self.seen)
        return sum(seen.seconds for seen in self.seen if seen.fresh) / usual if usual else 1.0

    @property
    def left(self) -> float:
        """Seconds to the end of the chain, about: of the stage at work and of those that come after it."""
        return sum(seen.left(self.factor) for seen in self.seen[self.current or 0 :])

    @property
    def share(self) -> float:
        """What is done of the whole chain, by usual costs: 0 to 1."""
        done = sum(seen.cost * seen.stage.count for seen in self.seen[: self.current or 0])
        if self.current is not None:
            now = self.seen[self.current]
            done += now.cost * min(now.made, now.stage.count)
        return done / sum(seen.cost * seen.stage.count for seen in self.seen)

    def line(self) -> str:
        """Stage, progress, and time left for it and for the whole chain."""
        chain = f"whole chain {100 * self.share:.0f} %, {about(self.left)} left"
        if self.current is None:
            return chain
        now = self.seen[self.current]
        if not self.working:
            is_last = self.current == len(self.seen) - 1
            return f"{now.stage.name} has ended; {'only figures and tables are left' if is_last else chain}"
        made = f"{min(now.made, now.stage.count):,} of {now.stage.count:,} {now.stage.unit}"
        return f"{now.stage.name}: {made}, {about(now.left(self.factor))}; {chain}"

    def costs(self) -> dict[str, dict[str, float]]:
        """By stage that was seen at work: units made meanwhile, wall seconds, and MiB at most."""
        worked = {seen.stage.name: seen for seen in self.seen if seen.before is not None}
        return {
            name: {"units": seen.fresh, "seconds": round(seen.worked, 1), "peak_mib": round(seen.mib, 1)}
            for name, seen in worked.items()
        }


def about(seconds: float) -> str:
    """A length of time that is estimated, as one would say it."""
    return f"about {spoken(seconds)}"


def spoken(seconds: float) -> str:
    """A length of time as one would say it."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _name(run: Path) -> str:
    return run.name.rpartition("-")[0]


def _at_work(run: Path) -> bool:
    """Whether somebody holds its lock, and gave a sign of life lately."""
    try:
        return time.time() - (run / LOCK).stat().st_mtime < 2 * SILENCE
    except OSError:
        return False


def _files(pattern: str, run: Path) -> int:
    return sum(1 for path in run.glob(pattern) if not path.name.startswith("."))


def _steps(run: Path) -> int:
    return max((int(row["step"]) for row in rows_of(run / "metrics.jsonl", "step")), default=0)


def _trials(run: Path) -> int:
    """Finished trials in Optuna's journal."""
    path, (operation, states) = run / JOURNAL, ENDED_TRIAL
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    entries = (entry for entry in map(json_or_none, lines) if isinstance(entry, dict))
    return sum(entry.get("op_code") == operation and entry.get("state") in states for entry in entries)


def _logged(run: Path) -> int:
    """Trials in the twin's logs."""
    mark = json.dumps({"kind": "trial"})[1:-1]
    return sum(path.read_text(encoding="utf-8", errors="replace").count(mark) for path in run.glob("logs/*.jsonl"))
