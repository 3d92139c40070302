"""What the slope explorer shows, computed: landscapes on a slice, slopes on a demonstration, paths of candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.poses import Pose, check_poses
from dgrasp.report.explorer.pose_slice import PoseSlice, coordinates_of, poses_at
from dgrasp.slopes.climb import Schedule, optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import part_cosines, value_gradient
from dgrasp.value.function import GraspValue

Score = Callable[[Tensor], Tensor]
PARTS = (slice(0, 3), slice(3, 6))  # of the six coordinates: translation, rotation
STILL = 1e-6  # metres, radians: the oracle's rotation rests in places, and a cosine with nothing has no meaning


@dataclass(frozen=True, eq=False)
class SliceLandscape:
    """Scores on a square grid of a slice (rows: vertical axis) and their slopes there.

    shares: (g,), places on both axes, in half widths. scores: (g, g). slopes: (g, g, 2), score per half width, so that
    arrows stand upright on contours whatever the units of the axes.
    """

    shares: Float[np.ndarray, "g"]
    scores: Float[np.ndarray, "g g"]
    slopes: Float[np.ndarray, "g g 2"]


def slice_landscape(score: Score, T_world_grasp: Pose, pose_slice: PoseSlice, grid: int) -> SliceLandscape:
    """Scores and slopes of `score` on `grid` x `grid` poses of a slice; raises ValueError for a grid below 3."""
    if grid < 3:
        raise ValueError(f"grid: expected 3 points or more to a side, got {grid}")
    check_poses(T_world_grasp, "T_world_grasp")
    shares = torch.linspace(-1, 1, grid, dtype=T_world_grasp.dtype)
    vertical, horizontal = torch.meshgrid(shares, shares, indexing="ij")
    places = torch.stack([horizontal, vertical], dim=-1).reshape(-1, 2).requires_grad_()
    with torch.enable_grad():
        scores = score(poses_at(T_world_grasp, pose_slice.coordinates(places)))
    slope = torch.autograd.grad(scores.sum(), places)[0]
    return SliceLandscape(shares.numpy(), scores.detach().view(grid, grid).numpy(), slope.view(grid, grid, 2).numpy())


@dataclass(frozen=True, eq=False)
class SlopesOnPath:
    """A demonstration and the slopes there, in the six coordinates of its grasp.

    coordinates, displacements, slopes: (n, 6), metres and radians, score per metre and radian. cosines: (2,), means
    over the poses that move, of translation and rotation; NaN where nothing moves.
    """

    coordinates: Float[np.ndarray, "n 6"]
    displacements: Float[np.ndarray, "n 6"]
    slopes: Float[np.ndarray, "n 6"]
    cosines: Float[np.ndarray, "2"]


def slopes_on_path(
    score: Score, T_world_grasp: Pose, Ts_world_tcp: Float[Tensor, "steps 4 4"], poses: int = 12
) -> SlopesOnPath:
    """Slopes at up to `poses` poses of a demonstration, beside the displacement from each to the next recorded one."""
    check_poses(Ts_world_tcp, "Ts_world_tcp")
    if len(Ts_world_tcp) < 2:
        raise ValueError(f"Ts_world_tcp: expected 2 poses or more, got {len(Ts_world_tcp)}")
    way = coordinates_of(T_world_grasp, Ts_world_tcp)
    chosen = torch.linspace(0, len(way) - 2, min(poses, len(way) - 1)).round().long()
    here, displacement = way[chosen], way[chosen + 1] - way[chosen]
    slope = value_gradient(lambda c: score(poses_at(T_world_grasp, c)), here)
    moves = torch.stack([displacement[:, part].norm(dim=-1) > STILL for part in PARTS], dim=-1)
    cosines = torch.where(moves, part_cosines(slope, displacement, PARTS), torch.nan).nanmean(dim=0)
    return SlopesOnPath(here.numpy(), displacement.numpy(), slope.numpy(), cosines.numpy())


@dataclass(frozen=True, eq=False)
class CandidatePath:
    """One candidate before the first and after each step: `Ts_world_tcp` (steps + 1, 4, 4), metres; `scores`."""

    Ts_world_tcp: Float[np.ndarray, "steps 4 4"]
    coordinates: Float[np.ndarray, "steps 6"]
    scores: Float[np.ndarray, "steps"]


class SceneValues:
    """The landscapes of several models over one encoded scene.

    Raises ValueError if the models do not read the same Phi in the same way.
    """

    def __init__(self, values: Mapping[str, GraspValue], enc: EncodedViews) -> None:
        check_comparable(values)
        self.values, self.enc = values, enc
        first = next(iter(values.values()))
        self.images = enc.single_views() if first.fusion == "sum" else enc

    def score(self, model: str) -> Score:
        """The landscape of one model."""
        return self.values[model].bind(self.enc)

    def each_its_own(self, models: Sequence[str]) -> Score:
        """Row i is scored by the i-th model, with one pass through the Phi they share.

        One pose at a time is all overhead: two that climb together take hardly longer than one.
        """
        first = self.values[models[0]]

        def score(T_world_tcp: Float[Tensor, "models 4 4"]) -> Float[Tensor, "models"]:
            a = first.activations(self.images, T_world_tcp.expand(len(self.images), *T_world_tcp.shape))
            rows = [self.values[model].readout(a[:, i : i + 1]).sum(dim=0) for i, model in enumerate(models)]
            return torch.cat(rows)

        return score


def candidate_paths(
    scene: SceneValues,
    models: Sequence[str],
    T_world_grasp: Pose,
    T_world_start: Pose,
    config: OptimizerConfig,
    *,
    representation: str,
    schedule: Schedule,
    bounds: tuple[Tensor, Tensor],
) -> list[CandidatePath]:
    """The climb of one candidate in the landscape of each model, by the policies' own optimizer.

    A slice may reach beyond the workspace; a candidate there starts on the workspace's border.
    """
    settings = config.model_copy(update={"pruning": (), "chunk": len(models)})
    T_world_start = T_world_start.clone()
    T_world_start[:3, 3].clamp_(*(corner.to(T_world_start) for corner in bounds))
    starts = T_world_start.expand(len(models), 4, 4)
    climbed = optimize_poses(
        scene.each_its_own(models), starts, settings,
        representation=representation, schedule=schedule, bounds=bounds, record=True,
    )  # fmt: skip
    assert climbed.paths is not None and climbed.path_scores is not None
    return [
        CandidatePath(T.numpy(), coordinates_of(T_world_grasp, T).numpy(), s.numpy())
        for T, s in zip(climbed.paths.unbind(1), climbed.path_scores.unbind(1), strict=True)
    ]


def check_comparable(values: Mapping[str, GraspValue]) -> None:
    """Raise ValueError unless all models read the same Phi at the same queries and fuse images alike."""
    if not values:
        raise ValueError("values: expected one model or more, got none")
    (name, first), *others = values.items()
    for other, value in others:
        if value.fusion != first.fusion or not torch.equal(value.queries.points, first.queries.points):
            raise ValueError(f"values: {name!r} and {other!r} differ in their queries or in how they fuse images")
        weights, own = first.phi.state_dict(), value.phi.state_dict()
        if value.phi is not first.phi and not (
            weights.keys() == own.keys() and all(torch.equal(weights[key], own[key]) for key in weights)
        ):
            raise ValueError(f"values: {name!r} and {other!r} read different Phi; compare models trained on one")
