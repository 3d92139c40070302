"""The simulated cell (Sec. 4): world, robot, objects, tasks, oracle, execution. Only here PyBullet is imported."""

from __future__ import annotations

from dgrasp.lazy import names_of, require_companion

require_companion(__name__)
_HOMES = {
    "Cell": "dgrasp.sim.cell",
    "CellConfig": "dgrasp.cell.config",
    "Geometry": "dgrasp.sim.cell",
    "OracleConfig": "dgrasp.sim.oracle",
    "GraspProtocol": "dgrasp.sim.execution",
    "GraspResult": "dgrasp.sim.execution",
    "Outcome": "dgrasp.cell.outcome",
    "Prism": "dgrasp.sim.objects.shapes",
    "Scene": "dgrasp.sim.scene",
    "SceneObject": "dgrasp.sim.scene",
    "SimulatedCell": "dgrasp.sim.simulated_cell",
    "TASKS": "dgrasp.sim.tasks.paper",
    "Task": "dgrasp.sim.tasks.paper",
    "blocked_grasps": "dgrasp.sim.oracle",
    "distance_to_grasps": "dgrasp.sim.oracle",
    "evaluation_viewpoints": "dgrasp.cell.viewpoints",
    "oracle_grasps": "dgrasp.sim.oracle",
    "physics_rest": "dgrasp.sim.settling",
    "sample_viewpoints": "dgrasp.cell.viewpoints",
    "task": "dgrasp.sim.tasks.paper",
    "viewpoint": "dgrasp.cell.viewpoints",
}
__all__ = sorted(_HOMES)
__getattr__ = names_of(__name__, _HOMES)
