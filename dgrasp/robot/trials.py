"""The real-robot trials of Sec. 5.2: present, observe, plan, rehearse, execute, judge, record.

Each object is presented a number of times to each policy, with one grasp attempt each. The order is random but fixed by
the seed; who places and judges sees a number and an object, not the policy. Interrupted at any point, a series goes on
with the first trial that has no verdict.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.interface import Execution, NotArmed, ProtectiveStop, RobotCell, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import transform
from dgrasp.config import Config
from dgrasp.files import atomic_path
from dgrasp.policy.policies import GraspPolicy, NoGraspError, Plan
from dgrasp.provenance import provenance
from dgrasp.robot.log import LogWriter, TrialLog, now, read_log
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
NO_GRASP, REFUSED, DRY_RUN, FAULT = "no grasp", "refused", "dry run", "fault"  # beside the simulator's outcomes
PRESSED = ("approach", "close", "lift")  # a protective stop in these is the policy's collision, elsewhere a fault


class TrialProtocol(Config):
    """What a series of trials consists of (Sec. 5.2: ten objects, five presentations each)."""

    policies: tuple[str, ...] = Field(min_length=1, description="names, as given to `run_trials`")
    objects: tuple[str, ...] = Field(default=PAPER_OBJECTS, min_length=1, description="what the operator presents")
    presentations: int = Field(default=5, ge=1, description="of each object to each policy")
    seed: int = Field(default=0, ge=0, description="of the order and of the starting poses")

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
        return Verdict(Outcome(execution.outcome), execution.reason)


class Planner(Protocol):
    """What trials need of a policy; `GraspPolicy` is one."""

    config: OptimizerConfig

    def plan(self, views: Views, generator: torch.Generator) -> Plan: ...


def for_real_robot(policy: GraspPolicy, limits: SafetyLimits | None = DEFAULT_LIMITS) -> GraspPolicy:
    """The same policy with the rule of Sec. 5.2: only poses that point downwards, then 1 cm along the tool axis.

    limits: of the cell (`HardwareConfig.limits`). The centimetre ends where they would refuse the pose as too low
    (ours); None is the rule as written.
    """
    floor = None if limits is None else limits.minimum_height + BOX_ROUNDING
    config = policy.config.model_copy(
        update={"approach": "downwards", "approach_offset": APPROACH_OFFSET, "approach_floor": floor}
    )
    return GraspPolicy(policy.spec, policy.value, config, policy.bounds)


def run_trials(
    cell: RobotCell,
    policies: Mapping[str, Planner],
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
    robot's log must have them. A CellFault ends the session
    after it is on record; calling again goes on, and repeats that trial. A grasp that was executed and not judged,
    since the session ended there, is not repeated: the operator is asked for its verdict. Raises ValueError for
    policies that are missing or follow another rule, LogError, CellFault, NotArmed.
    """
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
        there = read_log(path)
        for trial in [t for t in protocol.trials() if t.number not in there.done][:limit]:
            attempt = _Attempt(cell, policies[trial.policy], operator, protocol, trial, images)
            if executed := there.pending.get(trial.number):
                attempt.judge(log, executed)
            else:
                attempt.make(log)
    return read_log(path)


class _Attempt:
    """One trial on its way into the log."""

    def __init__(
        self,
        cell: RobotCell,
        policy: Planner,
        operator: Operator,
        protocol: TrialProtocol,
        trial: Trial,
        images: Path | None,
    ) -> None:
        self.cell, self.policy, self.operator, self.trial, self.images = cell, policy, operator, trial, images
        count = len(protocol.policies) * len(protocol.objects) * protocol.presentations
        self.blind = Presentation(trial.number, count, trial.object, trial.presentation)
        self.seed = protocol.seed
        self.record: dict[str, Any] = {
            **asdict(trial),
            "backend": cell.backend,
            "calibration": cell.calibration_id,
            "views": [],
            "pose": None,
            "value": None,
            "begun": False,  # whether the cell began to execute a grasp
            "execution": None,
            "seconds": {},
        }

    def make(self, log: LogWriter) -> None:
        """Run the trial; whatever happens is on disk before anything else does."""
        self.operator.present(self.blind)
        self.record["time"] = now()
        try:
            outcome, reason = self._run(log)
        except ProtectiveStop as stop:
            pressed = stop.phase in PRESSED
            self._write(log, Outcome.COLLISION if pressed else FAULT, str(stop))
            raise
        except BaseException as error:  # a fault, or the operator's interrupt: no verdict, so the trial is repeated
            self._write(log, FAULT, f"{type(error).__name__}: {error}")
            raise
        self._write(log, outcome, reason)

    def judge(self, log: LogWriter, executed: Mapping[str, Any]) -> None:
        """Ask for the verdict on a grasp that an earlier session executed: to repeat it would be a second attempt."""
        self.record = {key: value for key, value in executed.items() if key not in ("kind", "chain")}
        did = {key: executed["execution"][key] for key in ("moved", "holds", "width", "seconds")}
        reason = f"executed {executed['time']}, not judged then"
        verdict = self.operator.verdict(self.blind, Execution(pose_matrix(executed["pose"]), **did, reason=reason))
        self._write(log, verdict.outcome, verdict.reason)

    def _run(self, log: LogWriter) -> tuple[str, str]:
        views = self._timed("observe", self.cell.observe)
        self.record["views"] = [_described(views, i, self.images) for i in range(len(views))]
        starts = ("starts", "real", self.trial.object, self.trial.presentation)  # the same for all policies
        try:
            plan = self._timed("plan", lambda: self.policy.plan(views, streams.torch_generator(self.seed, *starts)))
        except NoGraspError as error:
            return NO_GRASP, str(error)
        T_world_tcp = plan.T_world_tcp.double().cpu().numpy()
        self.record |= {"pose": pose_vector(T_world_tcp), "value": plan.value}
        try:
            self._timed("rehearse", lambda: self.cell.rehearse(T_world_tcp))
            self.record["begun"] = True
            execution = self._timed("execute", lambda: self.cell.execute(T_world_tcp))
        except UnsafePose as refusal:
            self.record["begun"] = False
            return REFUSED, str(refusal)
        except NotArmed:
            self.record["begun"] = False
            raise
        except BaseException as error:  # a fault, or the operator's interrupt
            if executed := getattr(error, "executed", None):  # the grasp is over: it waits for its verdict
                self._executed(executed)
                log.append("executed", self.record)
            raise
        self._executed(execution)
        if not execution.moved and not execution.outcome:
            self.record["begun"] = False
            return DRY_RUN, "checked, not executed"
        if not execution.outcome:  # a person judges, which takes a while: the session may end before
            log.append("executed", self.record)
        verdict = self.operator.verdict(self.blind, execution)
        return verdict.outcome, verdict.reason

    def _executed(self, execution: Execution) -> None:
        self.record["execution"] = {
            "moved": execution.moved,
            "holds": execution.holds,
            "width": execution.width,
            "seconds": dict(execution.seconds),
        }

    def _write(self, log: LogWriter, outcome: str, reason: str) -> None:
        rehearsed = self.cell.dry_run or outcome in (FAULT, DRY_RUN)
        success = None if rehearsed else outcome == Outcome.SUCCESS
        log.append("trial", {**self.record, "outcome": str(outcome), "success": success, "reason": reason})

    def _timed(self, name: str, act: Callable[[], Any]) -> Any:
        begun = time.monotonic()
        try:
            return act()
        finally:
            self.record["seconds"][name] = round(time.monotonic() - begun, 3)


def pose_vector(T_world_tcp: np.ndarray) -> list[float]:
    """x, y, z, qx, qy, qz, qw: the log's form of a pose."""
    q = Rotation.from_matrix(T_world_tcp[:3, :3]).as_quat(canonical=True)
    return [float(v) for v in (*T_world_tcp[:3, 3], *q)]


def pose_matrix(pose: Sequence[float]) -> np.ndarray:
    """Inverse of `pose_vector`: `T_world_tcp`, (4, 4)."""
    return transform(Rotation.from_quat(pose[3:]), pose[:3])


def image_hash(image: np.ndarray) -> str:
    """SHA-256 of an image's shape and pixels."""
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def _described(views: Views, i: int, images: Path | None) -> dict[str, Any]:
    name = image_hash(views.images[i])
    if images is not None:
        with atomic_path(Path(images) / f"{name}.png") as temporary:
            Image.fromarray(views.images[i]).save(temporary, format="PNG")
    return {"image": name, "K": views.K[i].tolist(), "T_world_cam": views.Ts_world_cam[i].tolist()}


def _check_policies(policies: Mapping[str, Planner], protocol: TrialProtocol) -> None:
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
