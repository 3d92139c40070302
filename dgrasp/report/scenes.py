"""Large pictures of scenes, as backgrounds of figures. Policies never see them."""

from __future__ import annotations

from dgrasp.cameras import Intrinsics, Views
from dgrasp.sim import Cell, CellConfig, Scene, evaluation_viewpoints


def picture(config: CellConfig, scene: Scene, width: int = 640, height: int = 480) -> Views:
    """One view of a scene from the first evaluation viewpoint, with its calibration."""
    with Cell(config) as cell:
        cell.reset(scene)
        return cell.observe(evaluation_viewpoints(2)[:1], Intrinsics.d415(width, height))
