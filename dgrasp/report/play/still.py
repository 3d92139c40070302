"""The page as a still picture, for print and browsers that cannot compute: a scene, and a cut of two landscapes."""

from __future__ import annotations

import io

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dgrasp.poses import Pose, make_pose
from dgrasp.report.explorer.data import SliceLandscape, slice_landscape
from dgrasp.report.explorer.pose_slice import PoseSlice
from dgrasp.report.play.supply import PlayScene, Supply, board_facts, known_grasps, model_title

GRID = 21  # points to a side, as the page begins


def still_picture(supply: Supply) -> bytes:
    """PNG: the first scene's picture, and x-y cuts of the first models round its first known grasp."""
    first, scene = supply.catalogue["first"], supply.scenes[0]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 1 + len(first["models"]))
    panels[0].imshow(scene.pictures.images[0])
    panels[0].set(title=scene.title, xticks=(), yticks=())
    cut = PoseSlice.around(("x", "y"))
    for axes, name in zip(panels[1:], first["models"], strict=True):
        value = supply.values[name]
        score = value.bind(value.encode(scene.views))
        _draw(axes, slice_landscape(score, _centre(supply, scene), cut, GRID), cut, model_title(name))
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=100)
    return target.getvalue()


def _draw(axes: Axes, landscape: SliceLandscape, cut: PoseSlice, title: str) -> None:
    x, y = (landscape.shares * half * 1e3 for half in cut.half_widths)
    axes.contourf(x, y, landscape.scores, levels=20, cmap="YlGnBu")
    few = slice(1, None, 3)
    slopes = landscape.slopes[few, few] / np.linalg.norm(landscape.slopes[few, few], axis=-1, keepdims=True).clip(1e-9)
    axes.quiver(x[few], y[few], *np.moveaxis(slopes, -1, 0), color="0.2", scale=24, width=0.005)
    axes.set(title=title, xlabel="x (mm)", ylabel="y (mm)", aspect="equal")


def _centre(supply: Supply, scene: PlayScene) -> Pose:
    """The first known grasp; where none is known, a gripper that points down above the middle of the board."""
    grasps = known_grasps(scene.scene)
    rows = grasps[0] if len(grasps) else np.array(board_facts(supply.bounds)["middle"])
    T = torch.as_tensor(rows.reshape(3, 4), dtype=supply.bounds[0].dtype)
    return make_pose(T[:, :3], T[:, 3])
