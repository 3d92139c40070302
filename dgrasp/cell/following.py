"""How a cell is steered while its arm approaches (Sec. 6): look, ask the pilot, step; then close, or go back.

A pilot decides from views and the TCP's pose where the TCP goes next. The cell owns the motion: whatever a pilot asks,
no step is longer, wider or faster than `StepLimits`, and a pilot that says nothing for too long has lost the arm.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.cell.interface import CellFault, Execution, RobotCell, UnsafePose
from dgrasp.cell.motion import HALF_TURN
from dgrasp.cell.transforms import transform
from dgrasp.config import Config

ROUNDING = 1.0 + 1e-6  # of a step that was cut to its limit
Result = TypeVar("Result")


class StepLimits(Config):
    """What a cell does at most between two looks. Not in the paper, which names the closed loop and describes none.

    A simulated arm moves evenly from look to look. One that starts and stops makes shorter steps, see `in_cycle`.
    """

    rate: float = Field(default=4.0, ge=2, le=10, description="looks per second of the cell's time")
    step: float = Field(default=0.02, gt=0, le=0.05, description="longest step of the TCP, m")
    turn: float = Field(default=0.15, gt=0, le=0.5, description="widest turn of a step, rad")
    speed: float = Field(default=0.10, gt=0, le=0.25, description="of the TCP in a step, m/s")
    above: float = Field(default=0.15, ge=0, le=0.3, description="how far above its workspace the TCP may be led, m")
    looks: int = Field(default=60, ge=2, le=1000, description="looks after which the arm goes back without a grasp")
    patience: float = Field(default=2.0, gt=0, le=60, description="s that pilot and each camera have to answer")

    @model_validator(mode="after")
    def _in_time(self) -> StepLimits:
        if not self.step <= self.speed / self.rate * ROUNDING:
            raise ValueError(
                f"step: {self.step:g} m at {self.speed:g} m/s take longer than a cycle of {1 / self.rate:g} s; "
                f"allowed are up to {self.speed / self.rate:g} m"
            )
        return self

    def in_cycle(self, speed: float, acceleration: float) -> StepLimits:
        """The same with the longest step, up to `step`, that takes no longer than a cycle from rest to rest.

        speed: of the arm, m/s, where that is less than here. acceleration: m/s^2, of starting and of stopping.
        """
        seconds = 1 / self.rate
        top = min(speed, self.speed, acceleration * seconds / 2)
        return self.model_copy(update={"step": min(self.step, top * (seconds - top / acceleration))})


@dataclass(frozen=True, eq=False)
class Command:
    """What a pilot asks for: `T_world_tcp`, the pose to go towards, or None to stay; `close`: grasp here, now."""

    T_world_tcp: Float[np.ndarray, "4 4"] | None
    close: bool = False


# Of views of now, and the `T_world_tcp` that the arm has reached. Raises NoSummit where there is nothing to go to.
Pilot = Callable[[Views, np.ndarray], Command]


class FollowingCell(RobotCell, Protocol):
    """A cell whose arm can be steered on its way."""

    @property
    def steps(self) -> StepLimits:
        """What it does at most between two looks."""
        ...

    @property
    def standing_views(self) -> int:
        """How many views of standing cameras a pilot gets; then comes one of each on the arm, from where the arm is."""
        ...

    def follow(self, T_world_tcp: Float[np.ndarray, "4 4"], pilot: Pilot) -> Execution:
        """As `execute`, but from the pre-grasp of `T_world_tcp` on the pilot leads, until it closes.

        Where it has not closed after `StepLimits.looks`, or raises NoSummit, the arm goes back and the outcome is "no
        grasp". Raises UnsafePose where the way to the pre-grasp is refused, NotArmed, CellFault; FrozenPilot if the
        pilot is silent.
        """
        ...


class FrozenPilot(CellFault):
    """What plans the arm's steps has not answered in time."""


class NoSummit(RuntimeError):
    """The attempt ends without a grasp: the pilot has not closed within its looks, or finds nothing to go to."""


class Guide:
    """The pilot on a lead: asks it, with a time limit, and cuts what it asks for to a step.

    watched: whether the pilot must answer within `limits.patience` seconds of the clock; it then runs in a thread of
    its own. A simulator has its own time, and waits.
    """

    def __init__(self, pilot: Pilot, limits: StepLimits, *, watched: bool) -> None:
        self.pilot, self.limits, self.watched = pilot, limits, watched
        self.looks = 0

    def __call__(self, views: Views, T_world_tcp: np.ndarray) -> np.ndarray | None:
        """The pose to step to from here; None: close. Raises NoSummit, FrozenPilot, and what the pilot raises."""
        if self.looks == self.limits.looks:
            raise NoSummit(f"the summit was not reached in {self.looks} looks")
        self.looks += 1
        command = self._ask(views, T_world_tcp)
        if command.close:
            return None
        return T_world_tcp if command.T_world_tcp is None else towards(T_world_tcp, command.T_world_tcp, self.limits)

    def _ask(self, views: Views, T_world_tcp: np.ndarray) -> Command:
        if not self.watched:
            return self.pilot(views, T_world_tcp)
        seconds = self.limits.patience
        frozen = FrozenPilot(
            f"pilot: no answer within {seconds:g} s; the arm was stopped where it is. Look why the planner hangs, "
            "close the cell and open it anew"
        )
        return within(seconds, lambda: self.pilot(views, T_world_tcp), frozen)


def within(seconds: float, act: Callable[[], Result], late: Exception, name: str = "pilot") -> Result:
    """What `act` returns or raises, in a thread of that name; raises `late` if that takes more than `seconds`."""
    answers: queue.Queue[tuple[Result | None, BaseException | None]] = queue.Queue()

    def work() -> None:
        try:
            answers.put((act(), None))
        except BaseException as error:  # handed over to the one who waits
            answers.put((None, error))

    threading.Thread(target=work, daemon=True, name=name).start()
    try:
        result, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise late from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def towards(
    T_from: Float[np.ndarray, "4 4"], T_to: Float[np.ndarray, "4 4"], limits: StepLimits
) -> Float[np.ndarray, "4 4"]:
    """`T_to`, or as far on the straight way there as one step may go, turning evenly; raises UnsafePose for no pose."""
    metres, radians = distance(T_from, T_to)
    if not np.isfinite([metres, radians]).all():
        raise UnsafePose("refused: the pilot asks for a pose with NaN or infinite numbers")
    share = min(1.0, limits.step / max(metres, 1e-12), limits.turn / max(radians, 1e-12))
    turn = Rotation.from_matrix(T_from[:3, :3].T @ T_to[:3, :3]).as_rotvec()
    R = T_from[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
    return transform(R, T_from[:3, 3] + share * (T_to[:3, 3] - T_from[:3, 3]))


def distance(T_1: Float[np.ndarray, "4 4"], T_2: Float[np.ndarray, "4 4"]) -> tuple[float, float]:
    """Metres and radians between two poses; NaN where one of them is no pose."""
    if not (np.isfinite(T_1).all() and np.isfinite(T_2).all()):
        return float("nan"), float("nan")
    turn = Rotation.from_matrix(T_1[:3, :3].T @ T_2[:3, :3])
    return float(np.linalg.norm(T_1[:3, 3] - T_2[:3, 3])), float(turn.magnitude())


def check_step(T_from: np.ndarray, T_to: np.ndarray, limits: StepLimits) -> None:
    """The last gate before a driver: raises UnsafePose for a step beyond the limits, whoever made it."""
    metres, radians = distance(T_from, T_to)
    if not (metres <= limits.step * ROUNDING and radians <= limits.turn * ROUNDING):
        raise UnsafePose(
            f"refused: a step of {1000 * metres:.1f} mm and {np.degrees(radians):.1f} degrees, "
            f"allowed are {1000 * limits.step:.1f} mm and {np.degrees(limits.turn):.1f} degrees"
        )


def half_turn_between(T_asked: Float[np.ndarray, "4 4"], T_reached: Float[np.ndarray, "4 4"]) -> np.ndarray:
    """The identity, or the half turn about the approach axis with which an arm takes a grasp that is the same to it."""
    return HALF_TURN if np.dot(T_asked[:3, 0], T_reached[:3, 0]) < 0 else np.eye(4)


def together(seen: Sequence[Views]) -> Views:
    """What several cameras see, as one observation, in their order; images are of one size."""
    return Views(
        *(np.concatenate([getattr(views, name) for views in seen]) for name in ("images", "K", "Ts_world_cam"))
    )


class FreePixels:
    """Standing cameras look past the arm: what it covers in a picture is shown as it was seen last, without it.

    Phi has never seen an arm, and the hand is over the object when it matters.
    """

    def __init__(self, views: Views) -> None:
        """views: the scene without the arm."""
        self.seen = views.images.copy()

    def __call__(self, views: Views, covered: Bool[np.ndarray, "views h w"]) -> Views:
        """The same views, with covered pixels as they were; they remember what is free now."""
        self.seen = np.where(covered[..., None], self.seen, views.images)
        return Views(self.seen, views.K, views.Ts_world_cam)
