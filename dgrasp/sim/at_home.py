"""A described cell's arm at rest, held against its bench and itself."""

from __future__ import annotations

from pathlib import Path

from dgrasp.cell.config import CellConfig
from dgrasp.sim.cell import Cell
from dgrasp.sim.planning import collision_at
from dgrasp.sim.scene import Scene


def home_problem(source: str | Path) -> str | None:
    """What the open robot touches at home, by Bullet; None if nothing.

    source: a cell's file or name, one that the simulator takes: raises ValueError and ImportError as `CellConfig` and
    `dgrasp.cell.model.model_of` do.
    """
    config = CellConfig.model_validate({"description": str(source)})
    with Cell(config) as simulated:
        simulated.reset(Scene((), cell=config.description))
        hit = collision_at(simulated.world, config.model.arm.home)
    return hit and f"arm: home: {hit}; expected is a posture that is free of bench and arm"
