"""The real-robot trials of Sec. 5.2: present, observe, plan, rehearse, execute, judge, record.

Each object is presented a number of times to each policy, with one grasp attempt each. The order is random but fixed by
the seed; who places and judges sees a number and an object, not the policy. Interrupted at any point, a series goes on
with the first trial that has no verdict.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from pydantic import Field

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.interface import Execution, ProtectiveStop, RobotCell
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_matrix, pose_vector
from dgrasp.config import Config
from dgrasp.evaluation.attempt import Attempt, Planner
from dgrasp.evaluation.series import Setup, run_series
from dgrasp.files import atomic_path
from dgrasp.policy.policies import GraspPolicy
from dgrasp.provenance import provenance
from dgrasp.robot.log import Line, LogWriter, TrialLog, now, read_log
from dgrasp.robot.safety import BOX_ROUNDING, SafetyLimits
from dgrasp.slopes.config import OptimizerConfig

PAPER_OBJECTS = (  # Sec. 4.1 and 5.2
    "tennis ball",
    "crochet ball",
    "small Lego tire",
    "large Lego tire",
    "can of beans",
    "rubber duck",
    "hiking boot",
    "power drill",
    "shampoo bottle",
    "3-D printed block",
)
APPROACH_OFFSET = 0.01  # m along the tool axis against calibration errors, Sec. 5.2
DEFAULT_LIMITS = SafetyLimits()
NOT_EXECUTED = (Outcome.NO_GRASP, Outcome.REFUSED, Outcome.DRY_RUN)  # nobody is asked for a verdict
PRESSED = ("approach", "close", "lift")  # a protective stop in these is the policy's collision, elsewhere a fault


class TrialProtocol(Config):
    """What a series of trials consists of (Sec. 5.2: ten objects, five presentations each)."""

    policies: tuple[str, ...] = Field(min_length=1, description="names, as given to `run_trials`")
    objects: tuple[str, ...] = Field(default=PAPER_OBJECTS, min_length=1, description="what the operator presents")
    presentations: int = Field(default=5, ge=1, description="of each object to each policy")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="of the order and of the starting poses")

    def trials(self) -> tuple[Trial, ...]:
        """All trials in the random order in which they are made."""
        sets = list(product(self.policies, self.objects, range(self.presentations)))
        order = streams.rng(self.seed, "trials").permutation(len(sets))
        return tuple(Trial(number, *sets[i]) for number, i in enumerate(order, start=1))


@dataclass(frozen=True)
class Trial:
    """One attempt of one policy."""

    number: int
    policy: str
    object: str
    presentation: int


def starts_of(object: str, presentation: int) -> tuple[str | int, ...]:
    """The address of the starting poses of a trial's plan, in the streams of the series' seed."""
    return ("starts", "real", object, presentation)


@dataclass(frozen=True)
class Presentation:
    """What the operator may know of a trial: everything but the policy."""

    number: int
    of: int
    object: str
    presentation: int

    def __str__(self) -> str:
        return f"trial {self.number} of {self.of}: {self.object}, presentation {self.presentation + 1}"


@dataclass(frozen=True)
class Verdict:
    """How an executed grasp ended: a `dgrasp.cell.outcome.Outcome`, and a remark."""

    outcome: Outcome
    reason: str = ""


class Operator(Protocol):
    """Who places objects and judges: a person, or the twin's physics."""

    def present(self, presentation: Presentation) -> None:
        """Put the object on the board; return when the arm may move."""
        ...

    def verdict(self, presentation: Presentation, execution: Execution) -> Verdict:
        """Judge what happened."""
        ...


class AskingOperator:
    """Asks a person, through `ask(question) -> answer` (default: `input`, which notebooks show as a text field).

    An answer is a key or an outcome's whole word, then a remark if one likes. Anything else is asked again: the log
    cannot take a verdict back, and "slipped" begins with the key of a success.
    """

    ANSWERS: Mapping[str, Outcome] = {
        "s": Outcome.SUCCESS,
        "m": Outcome.MISSED,
        "l": Outcome.SLIPPED,
        "d": Outcome.DROPPED,
        "c": Outcome.COLLISION,
    }

    def __init__(self, ask: Callable[[str], str] = input) -> None:
        self.ask = ask

    def present(self, presentation: Presentation) -> None:
        self.ask(f"{presentation}. Place it anywhere on the board, hands off, then Enter: ")

    def verdict(self, presentation: Presentation, execution: Execution) -> Verdict:
        choices = ", ".join(f"{key} = {outcome}" for key, outcome in self.ANSWERS.items())
        note = f" ({execution.reason})" if execution.reason else ""
        answers = {**self.ANSWERS, **{str(outcome): outcome for outcome in self.ANSWERS.values()}}
        while True:
            answer = self.ask(f"{presentation}{note}: {choices} (key or word), then a space and a remark: ")
            word, _, remark = answer.strip().partition(" ")
            if outcome := answers.get(word.lower()):
                return Verdict(outcome, remark.strip())


class CellJudges:
    """For cells that judge for themselves: the verdict is what the execution says. `place` prepares the cell."""

    def __init__(self, place: Callable[[Presentation], None]) -> None:
        self.place = place

    def present(self, presentation: Presentation) -> None:
        self.place(presentation)

    def verdict(self, presentation: Presentation, execution: Execution) -> Verdict:
        if execution.outcome is None:
            raise ValueError("the cell gave no verdict: this one's grasps are judged by a person (AskingOperator)")
        return Verdict(execution.outcome, execution.reason)


class PreparedPolicy(Planner, Protocol):
    """What trials need of a policy: that it plans, and by which rule; `GraspPolicy` is one."""

    config: OptimizerConfig


def for_real_robot(policy: GraspPolicy, limits: SafetyLimits | None = DEFAULT_LIMITS) -> GraspPolicy:
    """The same policy with the rule of Sec. 5.2: only poses that point downwards, then 1 cm along the tool axis.

    limits: of the cell (`HardwareConfig.limits`). The centimetre ends where they would refuse the pose as too low
    (ours); None is the rule as written.
    """
    floor = None if limits is None else limits.minimum_height + BOX_ROUNDING
    config = policy.config.model_copy(
        update={"approach": "downwards", "approach_offset": APPROACH_OFFSET, "approach_floor": floor}
    )
    return GraspPolicy(policy.spec, policy.value, config, policy.bounds, policy.fingers)


def run_trials(
    cell: RobotCell,
    policies: Mapping[str, PreparedPolicy],
    operator: Operator,
    protocol: TrialProtocol,
    path: Path,
    *,
    limit: int | None = None,
    images: Path | None = None,
    runs: Mapping[str, str] | None = None,
) -> TrialLog:
    """Make the trials of a series that have no verdict yet, `limit` of them at most, and return the log.

    policies: by name, each prepared with `for_real_robot`. images: folder that receives the views as PNG, named by
    their hash. runs: fingerprints of the runs the policies come from, or whatever else names them for the header; a
    robot's log must have them. A CellFault ends the session after it is on record; calling again goes on, and repeats
    that trial. A grasp that was executed and not judged, since the session ended there, is not repeated: the operator
    is asked for its verdict. limit: 0 or more; None: all. Raises ValueError for another limit, and for policies that
    are missing or follow another rule, LogError, CellFault, NotArmed.
    """
    limit = _limit(limit)
    _check_policies(policies, protocol)
    if cell.backend == "hardware" and not runs:
        raise ValueError(
            "runs: expected the fingerprints of the policies' runs, since a robot's log must say which networks acted "
            "(`{name: run.fingerprint for name, run in experiment.used().items()}`), got none"
        )
    header = {
        "backend": cell.backend,
        "dry_run": cell.dry_run,
        "devices": dict(cell.devices),
        "calibration": cell.calibration_id,
        "settings": {
            **cell.settings,
            "optimizers": {name: policies[name].config.model_dump(mode="json") for name in protocol.policies},
        },
        "protocol": protocol.model_dump(mode="json"),
        "runs": dict(runs or {}),
        "made_by": provenance(),
    }
    with LogWriter(path, header) as log:
        there, recorder = read_log(path), _Recorder(cell, operator, protocol, log, images)
        todo = [trial for trial in protocol.trials() if trial.number not in there.done][:limit]
        setups = recorder.setups(todo, policies, there.pending)
        for _ in run_series(cell, setups, seed=protocol.seed, sink=recorder.record):
            pass
    return read_log(path)


class _Recorder:
    """Of a robot's series: who presents and judges, and the log, which has everything before anything else happens."""

    def __init__(
        self, cell: RobotCell, operator: Operator, protocol: TrialProtocol, log: LogWriter, images: Path | None
    ) -> None:
        self.cell, self.operator, self.log, self.images = cell, operator, log, images
        self.count = len(protocol.policies) * len(protocol.objects) * protocol.presentations

    def setups(
        self, trials: Iterable[Trial], policies: Mapping[str, Planner], pending: Mapping[int, Line]
    ) -> Iterator[Setup]:
        """Have the objects presented. Grasps that an earlier session executed are judged on the way."""
        for trial in trials:
            if executed := pending.get(trial.number):
                self._judge(trial, executed)
                continue
            self.operator.present(self._blind(trial))
            address = starts_of(trial.object, trial.presentation)
            yield Setup(policies[trial.policy], address, {"trial": trial})

    @contextmanager
    def record(self, setup: Setup, made: Attempt) -> Iterator[None]:
        """The sink: an attempt without an error gets its verdict; with one, the error goes on after it is on record."""
        trial: Trial = setup.labels["trial"]
        begun = now()
        views: list[Line] = []
        made.seen = lambda seen: views.extend(_described(seen, i, self.images) for i in range(len(seen)))

        def line() -> Line:
            who = {**asdict(trial), "backend": self.cell.backend, "calibration": self.cell.calibration_id}
            return {**who, "views": views, **_so_far(made), "time": begun}

        try:
            yield
            if made.outcome is None:  # a person judges, which takes a while: the session may end before
                self.log.append("executed", line())
            outcome, reason = self._verdict(trial, made)
        except BaseException as error:  # a fault, or the operator's interrupt
            if getattr(error, "executed", None):  # the grasp is over: it waits for its verdict
                self.log.append("executed", line())
            self._write(line(), *_failed(error))
            raise
        self._write(line(), outcome, reason)

    def _verdict(self, trial: Trial, made: Attempt) -> tuple[Outcome, str]:
        if made.outcome in NOT_EXECUTED or made.execution is None:
            assert made.outcome is not None
            return made.outcome, made.reason
        verdict = self.operator.verdict(self._blind(trial), made.execution)
        return verdict.outcome, verdict.reason

    def _judge(self, trial: Trial, executed: Line) -> None:
        """Ask for the verdict on a grasp that an earlier session executed: to repeat it would be a second attempt."""
        did = {key: executed["execution"][key] for key in ("moved", "holds", "width", "seconds")}
        reason = f"executed {executed['time']}, not judged then"
        execution = Execution(pose_matrix(executed["pose"]), **did, reason=reason)
        verdict = self.operator.verdict(self._blind(trial), execution)
        line = {key: value for key, value in executed.items() if key not in ("kind", "chain")}
        self._write(line, verdict.outcome, verdict.reason)

    def _blind(self, trial: Trial) -> Presentation:
        return Presentation(trial.number, self.count, trial.object, trial.presentation)

    def _write(self, line: Line, outcome: Outcome, reason: str) -> None:
        unjudged = self.cell.dry_run or outcome in (Outcome.FAULT, Outcome.DRY_RUN)
        success = None if unjudged else outcome == Outcome.SUCCESS
        self.log.append("trial", {**line, "outcome": str(outcome), "success": success, "reason": reason})


def _so_far(made: Attempt) -> Line:
    """What a line says of an attempt, wherever it stands."""
    T, done = made.T_world_tcp, made.execution
    return {
        "pose": None if T is None else pose_vector(T),
        "value": None if made.plan is None else made.plan.value,
        "begun": made.begun,  # whether the cell began to execute a grasp
        "execution": done
        and {"moved": done.moved, "holds": done.holds, "width": done.width, "seconds": dict(done.seconds)},
        "seconds": made.seconds,
    }


def _failed(error: BaseException) -> tuple[Outcome, str]:
    """What an error makes of a trial: without a verdict it is repeated, but a collision is one."""
    if isinstance(error, ProtectiveStop):
        return Outcome.COLLISION if error.phase in PRESSED else Outcome.FAULT, str(error)
    return Outcome.FAULT, f"{type(error).__name__}: {error}"


def image_hash(image: np.ndarray) -> str:
    """SHA-256 of an image's shape and pixels."""
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def _described(views: Views, i: int, images: Path | None) -> dict[str, Any]:
    name = image_hash(views.images[i])
    if images is not None:
        with atomic_path(Path(images) / f"{name}.png") as temporary:
            Image.fromarray(views.images[i]).save(temporary, format="PNG")
    return {"image": name, "K": views.K[i].tolist(), "T_world_cam": views.Ts_world_cam[i].tolist()}


def _limit(limit: int | None) -> int | None:
    """The limit as a plain int. Raises ValueError below 0, where a slice would count from the end."""
    try:
        number = None if limit is None else operator.index(limit)
    except TypeError:
        number = -1
    if number is not None and number < 0:
        raise ValueError(f"limit: expected a whole number of trials, 0 or more, or None for all, got {limit!r}")
    return number


def _check_policies(policies: Mapping[str, PreparedPolicy], protocol: TrialProtocol) -> None:
    missing = [name for name in protocol.policies if name not in policies]
    if missing:
        raise ValueError(f"policies: the protocol names {', '.join(missing)}; given: {', '.join(policies) or 'none'}")
    for name in protocol.policies:
        config = policies[name].config
        if config.approach != "downwards" or config.approach_offset != APPROACH_OFFSET:
            raise ValueError(
                f"policies: {name} plans with approach={config.approach!r}, approach_offset={config.approach_offset}; "
                "prepare it with for_real_robot(policy)"
            )
