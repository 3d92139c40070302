"""The eight policies of the paper (Sec. 4.2), from one Base and two dGrasp models, and four of the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Generator, Tensor

from dgrasp.cameras import Views, visible
from dgrasp.checks import described
from dgrasp.config import check_metres, each
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.policy.fingers import FingerCheck, first_free
from dgrasp.poses import ROTATIONS, check_box, uniform_poses
from dgrasp.slopes.climb import Optimized, Schedule, check_config, optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.modes import own_modes
from dgrasp.value.function import GraspValue

Bounds = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PolicySpec:
    """What makes a policy: whose value, which rotation coordinates Adam moves, and in which order."""

    name: str
    model: str
    representation: str
    schedule: Schedule


def _specs(method: str, models: dict[str, str]) -> dict[str, PolicySpec]:
    schedules: tuple[Schedule, ...] = ("seq", "sync")
    specs = (PolicySpec(f"{method}_{r}_{s}", model, r, s) for r, model in models.items() for s in schedules)
    return {spec.name: spec for spec in specs}


POLICIES = {
    **_specs("base", {"quat": "base", "6d": "base"}),
    **_specs("dgrasp", {"quat": "dgrasp_quat", "6d": "dgrasp_6d"}),
}
CONTROLS = _specs("control", {"quat": "base_control", "6d": "base_control"})


def policy_spec(name: str) -> PolicySpec:
    """Look a policy up by name; raises ValueError naming what exists."""
    known = {**POLICIES, **CONTROLS}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"unknown policy {name!r}; policies: {', '.join(known)}")
    return known[name]


# Metres, our choice: no policy on a bench asks for more, but one that is told in millimetres does.
MOST = {"translation_rate": 1.0, "approach_offset": 0.5, "approach_floor": 10.0}


def check_lengths(config: OptimizerConfig, name: str = "config") -> None:
    """Raise ValueError, which asks for the unit, for lengths of a climb that no gripper on a bench has.

    name: of the settings. The climb itself (`optimize_poses`) takes problems of any size.
    """
    for field, most in MOST.items():
        if (length := getattr(config, field)) is not None:
            check_metres(length, most, f"{name}.{field}")


PAIR = ("base_quat_sync", "dgrasp_quat_sync")  # one Base and one dGrasp that differ in the loss alone
PolicyNames = Annotated[tuple[str, ...], Field(min_length=1), each(policy_spec)]


class NoGraspError(RuntimeError):
    """No candidate passes the filter for real robots."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The chosen grasp and the candidates it was chosen from.

    T_world_tcp: (4, 4), metres. value: its score. chosen: its place in `candidates`, which are ranked best first.
    """

    T_world_tcp: Float[Tensor, "4 4"]
    value: float
    chosen: int
    candidates: Optimized

    def path(self, rank: int | None = None) -> Float[Tensor, "steps 4 4"]:
        """How the candidate of that rank (default: the chosen one) moved; needs `plan(..., record=True)`."""
        if self.candidates.paths is None:
            raise ValueError("path: the plan was made without record=True")
        return self.candidates.paths[:, self.candidates.start[self.chosen if rank is None else rank]]


class GraspPolicy:
    """pi(o) = argmax_p Psi(Phi(p, o)) (Eq. 1), by gradient ascent from random poses in the workspace.

    spec: of the policy, or its name. bounds: low and high corner of the workspace in the world, metres. fingers: how
    candidates are checked against the NeRF's density, if they are. Raises ValueError for an unknown policy, for other
    things than a value, settings and a check of fingers, for settings out of range, and if the bounds are no box.
    """

    def __init__(
        self,
        spec: PolicySpec | str,
        value: GraspValue,
        config: OptimizerConfig,
        bounds: Bounds,
        fingers: FingerCheck | None = None,
    ) -> None:
        self.spec = spec if isinstance(spec, PolicySpec) else policy_spec(spec)
        if isinstance(value, str) or not hasattr(value, "encode"):
            raise ValueError(f"value: expected a GraspValue, got {described(value)}")
        if not isinstance(fingers, FingerCheck | None):
            raise ValueError(f"fingers: expected a FingerCheck or None, got {described(fingers)}")
        self.value, self.config, self.bounds, self.fingers = value, check_config(config), check_box(bounds), fingers
        check_lengths(self.config)
        self.encode = value.encode  # may be set to one that policies share

    @own_modes()
    def plan(self, views: Views, generator: Generator, *, record: bool = False) -> Plan:
        """Plan a grasp from RGB views. Equal views and generator states give equal plans, in any of torch's modes.

        Raises ValueError if views are not calibrated or a camera sees nothing of the workspace, NoGraspError if
        `config.approach` rules all candidates out.
        """
        if not isinstance(views, Views):
            raise ValueError(f"views: expected Views (images with their calibration), got {described(views)}")
        if not isinstance(generator, Generator):
            raise ValueError(
                f"generator: expected a torch.Generator, the plan's only randomness, got {described(generator)}"
            )
        self._check_cameras(views)
        enc = self.encode(views)
        climbed = optimize_poses(
            self.value.bind(enc),
            self.starts(generator),
            self.config,
            representation=self.spec.representation,
            schedule=self.spec.schedule,
            bounds=self.bounds,
            record=record,
        )
        chosen = self._choose(climbed, enc)
        T_world_tcp = climbed.T_world_tcp[chosen].clone()
        T_world_tcp[:3, 3] += self.offset(T_world_tcp) * T_world_tcp[:3, 2]
        return Plan(T_world_tcp, float(climbed.scores[chosen]), chosen, climbed)

    def starts(self, generator: Generator) -> Float[Tensor, "n 4 4"]:
        """The random starting poses in the weights' dtype, drawn on the CPU so that devices agree."""
        rotations, weight = ROTATIONS[self.config.start_rotations], next(self.value.readout.parameters())
        return uniform_poses(self.config.n_starts, *self.bounds, generator, rotations, weight.dtype).to(weight.device)

    def _choose(self, climbed: Optimized, enc: EncodedViews) -> int:
        """The best candidate; with `approach="downwards"` the best whose approach axis points below the horizon.

        With `fingers` the best of those whose fingers come down beside what the NeRF takes for matter.
        """
        if self.config.approach == "any" and self.fingers is None:
            return 0
        allowed = torch.arange(len(climbed.scores), device=climbed.scores.device)
        if self.config.approach == "downwards":
            allowed = torch.nonzero(climbed.T_world_tcp[:, 2, 2] < 0).flatten()
        if len(allowed) == 0:
            raise NoGraspError(f"none of the {len(climbed.scores)} candidates approaches from above")
        if self.fingers is None:
            return int(allowed[0])
        return int(allowed[first_free(self.value.phi, enc, climbed.T_world_tcp[allowed], self.fingers)])

    def offset(self, T_world_tcp: Float[Tensor, "4 4"]) -> float:
        """Metres along the approach axis: `approach_offset`, or less where it would end below `approach_floor`."""
        offset, floor = self.config.approach_offset, self.config.approach_floor
        down = -float(T_world_tcp[2, 2])
        if floor is None or down <= 0:
            return offset
        return min(offset, max(0.0, (float(T_world_tcp[2, 3]) - floor) / down))

    def _check_cameras(self, views: Views) -> None:
        low, high = (b.double() for b in self.bounds)
        grid = torch.cartesian_prod(
            *(torch.linspace(float(a), float(b), 8).double() for a, b in zip(low, high, strict=True))
        )
        K, Ts_world_cam = torch.from_numpy(views.K).double(), torch.from_numpy(views.Ts_world_cam).double()
        height, width = views.images.shape[1:3]
        seen = visible(K, Ts_world_cam, grid.expand(len(views), *grid.shape), (width, height))
        for i in torch.nonzero(~seen.any(dim=-1)).flatten().tolist():
            raise ValueError(f"views: camera {i} sees nothing of the workspace; check Ts_world_cam[{i}] and K[{i}]")
