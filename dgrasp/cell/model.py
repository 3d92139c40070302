"""A cell as simulator, demonstrations, limits and twin use it: the paper's, which is built in, or a described one."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dgrasp.cameras import Intrinsics
from dgrasp.cell import viewpoints, workspace
from dgrasp.cell.arm_model import Arm, DescribedArm, PapersArm
from dgrasp.cell.description import CellDescription, View
from dgrasp.cell.hand_model import Hand, hand_of, papers_hand
from dgrasp.cell.kinematics import Numeric
from dgrasp.cell.urdf import model_of_arm

Size = tuple[float, float, float]
Place = tuple[float, float]
FALLEN, LOST = 0.002, 0.048  # m above and below the table's top: what lies lower has left the board, or the table


@dataclass(frozen=True, eq=False)
class CellModel:
    """What stands where, and who grasps. World frame, metres.

    low, high: corners of the TCP's workspace. fallen_below, lost_below: heights under which an object has left the
    board, or the table.
    """

    name: str
    description: CellDescription | None
    arm: Arm
    hand: Hand
    table_size: Size
    table_centre: Place
    board_size: Size
    board_centre: Place
    board_top: float
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    fallen_below: float
    lost_below: float

    def inside(self, p_world: Float[np.ndarray, "*n 3"]) -> Bool[np.ndarray, "*n"]:
        """Whether points lie in the workspace."""
        return np.all((p_world >= self.low) & (p_world <= self.high), axis=-1)

    def lens(self, width: int, height: int) -> Intrinsics:
        """Its first camera's, of images of this size."""
        if self.description is None:
            return Intrinsics.d415(width, height)
        return self.description.cameras[0].intrinsics.resized(width, height)

    def lenses(self, n: int, width: int, height: int) -> tuple[Intrinsics, ...]:
        """Those of the first n fixed views, of images of this size; raises ValueError where it has fewer."""
        if self.description is None:
            return (self.lens(width, height),) * n
        return tuple(view.camera.intrinsics.resized(width, height) for view in self._views(n))

    def sampled_lenses(self, rng: np.random.Generator, n: int, width: int, height: int) -> tuple[Intrinsics, ...]:
        """Lenses of n random views, of images of this size: for each, by lot, that of one of its fixed views.

        Nothing is drawn where all of them are one.
        """
        known = self.lenses(self.most_views, width, height)
        if len(set(known)) == 1:
            return known[:1] * n
        return tuple(known[i] for i in rng.integers(len(known), size=n))

    @property
    def most_views(self) -> int:
        """How many fixed views it has: its cameras', or the sets of two and of three of the paper's cell."""
        return 5 if self.description is None else len(self.description.views)

    def fixed_views(self, n: int) -> Float[np.ndarray, "n 4 4"]:
        """`T_world_cam` of the first n fixed views; raises ValueError where it has fewer."""
        if self.description is None:
            return viewpoints.evaluation_viewpoints(n)
        return np.stack([view.T_world_cam for view in self._views(n)])

    def _views(self, n: int) -> tuple[View, ...]:
        if self.description is None or n > self.most_views:
            raise ValueError(f"{n} views asked; {self.name} has {self.most_views}")
        return self.description.views[:n]

    def sampled_views(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n 4 4"]:
        """Random views, as far away as its cameras are in the mean, on all sides but the arm's."""
        if self.description is None:
            return viewpoints.sample_viewpoints(rng, n)
        middle = self.description.bench.middle
        away = float(np.mean([np.linalg.norm(view.T_world_cam[:3, 3] - middle) for view in self.description.views]))
        x, y = np.subtract(self.board_centre, self.arm.base_position[:2])
        front = math.atan2(y, x)
        return viewpoints.sample_viewpoints(rng, n, middle, away, front)


def _papers() -> CellModel:
    w = workspace
    return CellModel(
        "UR10 with 2F-140", None, PapersArm(), papers_hand(),
        w.TABLE_SIZE, w.TABLE_CENTRE_XY, w.BOARD_SIZE, w.BOARD_CENTRE_XY, w.BOARD_TOP, w.BOUNDS_LOW, w.BOUNDS_HIGH,
        fallen_below=0.95, lost_below=0.9,
    )  # fmt: skip


PAPERS = _papers()
_ours = threading.local()  # models by description: solvers keep a state, and are no two threads' to share


def model_of(description: CellDescription | None) -> CellModel:
    """The model of a described cell, made once per thread; None: the paper's.

    Raises UserFileError for an arm whose model does not fit, MissingExtraError without Pinocchio.
    """
    if description is None:
        return PAPERS
    known: dict[CellDescription, CellModel] = _ours.__dict__.setdefault("models", {})
    if description not in known:
        known[description] = _described(description)
    return known[description]


def _described(cell: CellDescription) -> CellModel:
    low, high = np.array(cell.workspace.low), np.array(cell.workspace.high)
    hand, top = hand_of(cell.gripper), cell.bench.table_size[2]
    arm = DescribedArm(cell.arm, hand.T_flange_tcp, Numeric(cell.arm, model_of_arm(cell.arm)))
    return CellModel(
        cell.name, cell, arm, hand,
        cell.bench.table_size, cell.bench.table_centre, cell.bench.board_size, cell.bench.board_centre,
        cell.bench.board_top, low, high, fallen_below=top + FALLEN, lost_below=top - LOST,
    )  # fmt: skip
