"""The simulated cell (Sec. 4): robot, workbench, tasks, trials, oracle. The only package that imports PyBullet."""

from dgrasp.sim.cell import Cell, Geometry
from dgrasp.sim.config import CellConfig
from dgrasp.sim.oracle import OracleConfig, blocked_grasps, distance_to_grasps, oracle, oracle_grasps
from dgrasp.sim.rest import physics_rest
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.shapes import Prism
from dgrasp.sim.tasks import TASKS, Task, task
from dgrasp.sim.trial import Outcome, Trial, TrialProtocol
from dgrasp.sim.viewpoints import evaluation_viewpoints, sample_viewpoints, viewpoint

__all__ = [
    "TASKS",
    "Cell",
    "CellConfig",
    "Geometry",
    "OracleConfig",
    "Outcome",
    "Prism",
    "Scene",
    "SceneObject",
    "Task",
    "Trial",
    "TrialProtocol",
    "blocked_grasps",
    "distance_to_grasps",
    "evaluation_viewpoints",
    "oracle",
    "oracle_grasps",
    "physics_rest",
    "sample_viewpoints",
    "task",
    "viewpoint",
]
