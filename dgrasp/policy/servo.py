"""The ascent as a motion (Sec. 6): a pilot that leads the TCP up the value landscape of the views of now.

Nothing is trained for it: networks, coordinates, order of steps, rates and decays are the policy's own. Every look has
a landscape of its own. A few poses climb it: the TCP's, the summit of the look before, and some round about both. The
TCP goes one step towards the summit, from behind, as demonstrations come; once it stands there, the fingers close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Generator, Tensor

from dgrasp.cameras import Views
from dgrasp.cell.following import Command, NoSummit, distance
from dgrasp.cell.motion import HALF_TURN
from dgrasp.config import Config
from dgrasp.policy.policies import GraspPolicy, NoGraspError
from dgrasp.poses import make_pose
from dgrasp.slopes.climb import Value, optimize_poses
from dgrasp.slopes.modes import own_modes


class AscentConfig(Config):
    """How the climb of one look becomes a motion. Not in the paper; tried on validation scenes."""

    scored: int = Field(default=48, ge=1, description="poses that are scored in a look, half of them about the TCP")
    climbing: int = Field(
        default=6, ge=2, description="of them the best climb; the TCP's own and the last summit always"
    )
    spread: float = Field(default=0.03, ge=0, le=0.2, description="of the poses round about, m (standard deviation)")
    turn_spread: float = Field(default=0.2, ge=0, le=1, description="the same in rad")
    near: float = Field(default=0.006, gt=0, le=0.05, description="the TCP is at the summit within so many metres")
    near_turn: float = Field(default=0.1, gt=0, le=0.5, description="and within so many rad")
    settled: int = Field(default=2, ge=1, description="looks in succession that find it there, before it closes")
    flat: float = Field(
        default=1.0, ge=0,
        description="poses less than this below the highest are summits, too: ridges are flat, and the nearest one "
        "will do. In nats, the unit of L_main's logits",
    )  # fmt: skip
    cone: float = Field(
        default=1.5, ge=0, le=5, description="metres kept behind the summit per metre beside its approach axis"
    )
    lever: float = Field(
        default=0.05, ge=0, le=0.5, description="metres beside the axis that a turn of one rad counts as"
    )
    behind: float = Field(default=0.10, ge=0, le=0.3, description="no more metres behind it than that")


class NoWayDown(NoSummit, NoGraspError):
    """In the views of now, no pose passes the filter for real robots."""


def as_taken(views: Views) -> Views:
    """The views as the cell's cameras took them."""
    return views


@dataclass(frozen=True, eq=False)
class Look:
    """What one look found. T_world_tcp: where the arm was. summit, value: the best end of the climb from there."""

    T_world_tcp: Float[np.ndarray, "4 4"]
    summit: Float[np.ndarray, "4 4"]
    value: float


@dataclass(eq=False)
class Servo:
    """A `dgrasp.cell.following.Pilot` for one attempt; `looks` tells what it saw.

    summit: the planned grasp, `T_world_tcp`; then that of the last look. above: how far above the workspace the TCP may
    be, metres. generator: of the poses round about, drawn once, so that looks differ by their views alone. as_seen:
    what the networks are shown of a cell's views (`ResizeToTraining.as_seen`).
    """

    policy: GraspPolicy
    summit: Float[np.ndarray, "4 4"]
    generator: Generator
    above: float
    config: AscentConfig = field(default_factory=AscentConfig)
    looks: list[Look] = field(default_factory=list)
    as_seen: Callable[[Views], Views] = as_taken

    def __post_init__(self) -> None:
        import roma  # not above: see `dgrasp.poses`

        about = torch.randn(self.config.scored, 6, generator=self.generator)
        turn = roma.rotvec_to_rotmat(self.config.turn_spread * about[:, 3:])
        self.about = make_pose(turn, self.config.spread * about[:, :3])
        self.pose = self._pose(self.summit)
        self.at_summit = 0

    def __call__(self, views: Views, T_world_tcp: Float[np.ndarray, "4 4"]) -> Command:
        """Close once the TCP has stood at the summit for some looks, else go on towards it; raises NoWayDown."""
        self.summit, value = self.climb(views, T_world_tcp)
        self.looks.append(Look(T_world_tcp, self.summit, value))
        metres, radians = distance(T_world_tcp, self.summit)
        arrived = metres <= self.config.near and radians <= self.config.near_turn
        self.at_summit = self.at_summit + 1 if arrived else 0
        return Command(from_behind(T_world_tcp, self.summit, self.config), close=self.at_summit >= self.config.settled)

    @own_modes()
    def climb(self, views: Views, T_world_tcp: Float[np.ndarray, "4 4"]) -> tuple[Float[np.ndarray, "4 4"], float]:
        """The summit that is nearest to the TCP, and its value; see `AscentConfig.flat`.

        Where the TCP is, and the summit of the look before, may be summits still. Of a pose and the same turned by half
        a turn about the approach axis, which are one grasp, the nearer one counts.
        """
        low, high = (corner.clone() for corner in self.policy.bounds)
        high[2] += self.above
        score = self.policy.value.bind(self.policy.value.encode(self.as_seen(views)))
        starts = self.starts(score, T_world_tcp, low, high)
        climbed = optimize_poses(
            score,
            starts,
            self.policy.config.model_copy(update={"pruning": ()}),
            representation=self.policy.spec.representation,
            schedule=self.policy.spec.schedule,
            bounds=(low, high),
        )
        with torch.no_grad():
            poses, scores = torch.cat([starts[:2], climbed.T_world_tcp]), torch.cat([score(starts[:2]), climbed.scores])
        return self._nearest_summit(poses.detach(), scores.detach(), T_world_tcp)

    def _nearest_summit(
        self, poses: Float[Tensor, "n 4 4"], scores: Float[Tensor, "n"], T_world_tcp: Float[np.ndarray, "4 4"]
    ) -> tuple[Float[np.ndarray, "4 4"], float]:
        """Of the poses that the policy's rule allows (`OptimizerConfig.approach`); raises NoWayDown for none."""
        allowed = poses[:, 2, 2] < (0 if self.policy.config.approach == "downwards" else torch.inf)
        if not allowed.any():
            raise NoWayDown(f"none of the {len(poses)} candidates approaches from above")
        high = allowed & (scores >= scores[allowed].max() - self.config.flat)
        grasps = [self._grasp(pose, T_world_tcp) for pose in poses[high]]
        nearest = int(np.argmin([away(T, T_world_tcp, self.config.lever) for T in grasps]))
        self.pose = poses[high][nearest].double().cpu().numpy()  # not its twin, which networks may score otherwise
        return grasps[nearest], float(scores[high][nearest])

    def _grasp(self, pose: Float[Tensor, "4 4"], T_near: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """Where the fingers close for a pose of the landscape, as in `GraspPolicy.plan`."""
        T = pose.double().cpu().numpy().copy()
        T[:3, 3] += self.policy.offset(pose) * T[:3, 2]
        return nearer_twin(T, T_near)

    def _pose(self, T_grasp: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
        """The pose of the landscape that a grasp stands for: inverse of `_grasp`."""
        T = T_grasp.copy()
        T[:3, 3] -= self.policy.config.approach_offset * T[:3, 2]
        return T

    def starts(
        self, score: Value, T_world_tcp: Float[np.ndarray, "4 4"], low: Tensor, high: Tensor
    ) -> Float[Tensor, "n 4 4"]:
        """The TCP's pose, the last summit, and the best of those round about both."""
        weight = next(self.policy.value.readout.parameters())
        own = torch.from_numpy(np.stack([self._pose(T_world_tcp), self.pose])).to(weight)
        poses = torch.cat([own, own[torch.arange(len(self.about)) % 2] @ self.about.to(weight)])
        poses[:, :3, 3] = poses[:, :3, 3].clamp(low.to(weight), high.to(weight))
        best = score(poses[2:]).argsort(descending=True, stable=True)[: self.config.climbing - 2]
        return torch.cat([poses[:2], poses[2:][best]])


def away(T_1: Float[np.ndarray, "4 4"], T_2: Float[np.ndarray, "4 4"], lever: float) -> float:
    """Metres between two poses; a turn of one rad counts as `lever` metres."""
    metres, radians = distance(T_1, T_2)
    return metres + lever * radians


def nearer_twin(T_world_tcp: Float[np.ndarray, "4 4"], T_near: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The pose, or its half turn about the approach axis: whichever is a smaller turn away from `T_near`."""
    turned = T_world_tcp @ HALF_TURN
    return min((T_world_tcp, turned), key=lambda T: distance(T, T_near)[1])


def from_behind(
    T_world_tcp: Float[np.ndarray, "4 4"], T_summit: Float[np.ndarray, "4 4"], config: AscentConfig
) -> Float[np.ndarray, "4 4"]:
    """Where to go on the way to a summit: behind it, the more the TCP is still beside its axis or turned against it.

    Less than `config.near` is on the axis. So fingers come down along it, as in the demonstrations, and not sideways
    into the object.
    """
    from_summit, axis = T_world_tcp[:3, 3] - T_summit[:3, 3], T_summit[:3, 2]
    beside = (
        float(np.linalg.norm(from_summit - (from_summit @ axis) * axis))
        + config.lever * distance(T_world_tcp, T_summit)[1]
    )
    T = T_summit.copy()
    T[:3, 3] -= min(config.behind, config.cone * max(0.0, beside - config.near)) * axis
    return T
