"""Attempts in closed loop: a cell whose grasps are led by the policy's ascent; and what their paths are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Generator

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.following import FollowingCell
from dgrasp.cell.interface import Backend, Execution
from dgrasp.policy.policies import GraspPolicy, Plan
from dgrasp.policy.servo import AscentConfig, Servo, as_taken


@runtime_checkable
class Refitted(Protocol):
    """A policy whose networks are shown something else than the cell's views; `ResizeToTraining` is one."""

    policy: GraspPolicy

    def plan(self, views: Views, generator: Generator) -> Plan:
        """See `GraspPolicy.plan`."""
        ...

    def as_seen(self, views: Views) -> Views:
        """What they are shown."""
        ...


class ClosedLoop:
    """A `RobotCell` that grasps with a policy's ascent in the loop: a series of one policy works with it, and its log.

    A series of several has each of them as `led(policy)`: the landscape of who planned the grasp leads to it.

    cell: what acts. policy: whose plans `execute` is given; its landscape leads. seed: of the poses round about.
    servo: the pilot of the last grasp. near_views: whether the policy is shown the views of cameras on the arm, too, on
    the way; by default the standing ones alone lead, and a cell without any raises ValueError. Closing it closes the
    cell.
    """

    def __init__(
        self,
        cell: FollowingCell,
        policy: GraspPolicy | Refitted | None = None,
        config: AscentConfig | None = None,
        *,
        seed: int = 0,
        near_views: bool = False,
    ) -> None:
        if cell.standing_views == 0 and not near_views:
            raise ValueError(
                "cell: all of its cameras are on the arm, and show one near view on the way; networks that have seen "
                "views from afar alone were led astray by it, in the simulator. Add a standing camera, or say "
                "near_views=True if yours have seen such views (REAL_CELL.md, 'Led by the slopes')"
            )
        self.cell, self.policy, self.config, self.seed = cell, policy, config or AscentConfig(), seed
        self.near_views = near_views
        self.servo: Servo | None = None

    @property
    def backend(self) -> Backend:
        return self.cell.backend

    @property
    def dry_run(self) -> bool:
        return self.cell.dry_run

    @property
    def devices(self) -> Mapping[str, str]:
        return self.cell.devices

    @property
    def settings(self) -> Mapping[str, Any]:
        loop = {"steps": self.cell.steps.model_dump(mode="json"), "ascent": self.config.model_dump(mode="json")}
        return {**self.cell.settings, **loop, **({"near_views": True} if self.near_views else {})}

    @property
    def calibration_id(self) -> str:
        return self.cell.calibration_id

    def led(self, policy: GraspPolicy | Refitted) -> Led:
        """The policy for a series in this cell: what it plans is executed up its own landscape."""
        return Led(self, policy)

    def observe(self) -> Views:
        """The cell's."""
        return self.cell.observe()

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """The cell's, of the planned grasp."""
        self.cell.rehearse(T_world_tcp)

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """To the pre-grasp of the planned pose, and from there up the landscape; raises as `FollowingCell.follow`.

        Raises ValueError where no policy leads.
        """
        if self.policy is None:
            raise ValueError("policy: none leads; give ClosedLoop one, or plan with loop.led(policy)")
        leads = self.policy
        policy, refit = (leads.policy, leads.as_seen) if isinstance(leads, Refitted) else (leads, as_taken)
        summit, generator = np.array(T_world_tcp, dtype=np.float64), streams.torch_generator(self.seed, "ascent")

        def as_seen(views: Views) -> Views:
            return refit(views if self.near_views else views[: self.cell.standing_views])

        self.servo = Servo(policy, summit, generator, self.cell.steps.above, self.config, as_seen=as_seen)
        return self.cell.follow(T_world_tcp, self.servo)

    def close(self) -> None:
        """The cell's."""
        self.cell.close()


class Led:
    """A policy of a series in closed loop: where it has planned, it leads. For `run_trials`, as `PreparedPolicy`."""

    def __init__(self, loop: ClosedLoop, policy: GraspPolicy | Refitted) -> None:
        self.loop, self.policy = loop, policy
        self.config = (policy.policy if isinstance(policy, Refitted) else policy).config

    def plan(self, views: Views, generator: Generator) -> Plan:
        """The policy's. Raises NoGraspError."""
        self.loop.policy = self.policy
        return self.policy.plan(views, generator)


def path_measures(Ts_world_tcp: Float[np.ndarray, "n 4 4"]) -> dict[str, float]:
    """Of a path of the TCP: its length in metres, how much longer than straight, and how smooth it is.

    detour: length over the distance of its ends. smoothness: mean cosine of successive displacements; 1 is straight.
    NaN where a path of its number of poses has no such thing.
    """
    steps = np.diff(np.asarray(Ts_world_tcp)[:, :3, 3], axis=0)
    steps = steps[np.linalg.norm(steps, axis=1) > 1e-4]
    lengths = np.linalg.norm(steps, axis=1)
    straight = float(np.linalg.norm(steps.sum(0)))
    return {
        "length": float(lengths.sum()),
        "detour": float(lengths.sum()) / straight if straight > 1e-4 else float("nan"),
        "smoothness": _mean_cosine(steps[:-1], steps[1:]),
    }


def follows(Ts_world_tcp: Float[np.ndarray, "n 4 4"], demonstrated: Float[np.ndarray, "m 4 4"]) -> float:
    """Mean cosine of motion and demonstrated displacement; NaN for a path without motion.

    At every pose, the demonstrated displacement is that at the nearest pose of the demonstration (translation).
    """
    path, shown = np.asarray(Ts_world_tcp)[:, :3, 3], np.asarray(demonstrated)[:, :3, 3]
    steps = np.diff(path, axis=0)
    nearest = np.linalg.norm(path[:-1, None] - shown[None, :-1], axis=-1).argmin(1)
    moves = np.linalg.norm(steps, axis=1) > 1e-4
    return _mean_cosine(steps[moves], np.diff(shown, axis=0)[nearest[moves]])


def _mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    if not len(a):
        return float("nan")
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(1) / np.maximum(sizes, 1e-12)))
