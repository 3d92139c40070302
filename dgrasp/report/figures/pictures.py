"""Large pictures of scenes, as backgrounds of figures. Policies never see them."""

from __future__ import annotations

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene


def picture(config: CellConfig, scene: Scene, width: int = 640, height: int = 480) -> Views:
    """One view of a scene from the first evaluation viewpoint, with its calibration."""
    with Cell(config) as cell:
        cell.reset(scene)
        return cell.observe(evaluation_viewpoints(2)[:1], Intrinsics.d415(width, height))
