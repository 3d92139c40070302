"""Kinematics of a described arm: the UR10's closed form, or Pinocchio's on the arm's URDF (extra `arms`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from dgrasp.cell import ur10
from dgrasp.cell.description import ArmDescription
from dgrasp.cell.transforms import inverse
from dgrasp.lazy import required

PRECISE = 1e-5  # m and rad of a solution; far below what an arm repeats
STEPS, STARTS = 80, 12  # of one descent, and descents from other postures; most poses need one
DAMPING = 1e-4  # of the least squares near singularities


class Kinematics(Protocol):
    """An arm's two questions. Joints as in its description, radians; poses of the flange in the base, metres."""

    def forward(self, q: Float[np.ndarray, "joints"]) -> Float[np.ndarray, "4 4"]:
        """`T_base_flange`."""
        ...

    def inverse(
        self, T_base_flange: Float[np.ndarray, "4 4"], near: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """Joints within their limits that reach the pose, as near to `near` as was found; None if none were."""
        ...


def kinematics_of(arm: ArmDescription, urdf: Path) -> Kinematics:
    """The arm's. Raises ImportError without Pinocchio where there is no closed form, ValueError for another URDF."""
    return ClosedForm(arm) if arm.closed_form == "ur10" else Numeric(arm, urdf)


class ClosedForm:
    """The UR10's, exact."""

    def __init__(self, arm: ArmDescription) -> None:
        self.arm = arm

    def forward(self, q: Float[np.ndarray, "joints"]) -> Float[np.ndarray, "4 4"]:
        """See `Kinematics`."""
        return ur10.forward(q)

    def inverse(
        self, T_base_flange: Float[np.ndarray, "4 4"], near: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """See `Kinematics`."""
        found = [ur10.nearest_turns(q, near) for q in ur10.inverse(T_base_flange[None])[0] if np.isfinite(q).all()]
        inside = [q for q in found if ((q >= self.arm.lower) & (q <= self.arm.upper)).all()]
        return min(inside, key=lambda q: float(np.abs(q - near).max()), default=None)


class Numeric:
    """Any arm's, by damped least squares from several postures: the same answers on every call."""

    def __init__(self, arm: ArmDescription, urdf: Path) -> None:
        self.pin: Any = required("pinocchio", f"inverse kinematics of {arm.name}", "arms")
        try:
            whole = self.pin.buildModelFromUrdf(str(urdf))
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{urdf}: no model of an arm ({' '.join(str(error).split())[:200]})") from error
        moving = [whole.getJointId(name) for name in arm.joints]
        others = [i for i in range(1, whole.njoints) if i not in moving]
        self.model = self.pin.buildReducedModel(whole, others, self.pin.neutral(whole))
        if self.model.nq != len(arm.joints):
            raise ValueError(f"{urdf}: joints {', '.join(arm.joints)} are not simple hinges")
        self.data = self.model.createData()
        self.base, self.flange = (self.model.getFrameId(name) for name in (arm.base, arm.flange))
        self.low, self.high = np.array(arm.lower), np.array(arm.upper)
        order = [self.model.getJointId(name) - 1 for name in arm.joints]
        if order != sorted(order):
            raise ValueError(f"{urdf}: joints stand in another order: {', '.join(list(self.model.names)[1:])}")

    def forward(self, q: Float[np.ndarray, "joints"]) -> Float[np.ndarray, "4 4"]:
        """See `Kinematics`."""
        self.pin.framesForwardKinematics(self.model, self.data, np.asarray(q, dtype=np.float64))
        poses = self.data.oMf
        return inverse(poses[self.base].homogeneous) @ poses[self.flange].homogeneous

    def inverse(
        self, T_base_flange: Float[np.ndarray, "4 4"], near: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """See `Kinematics`."""
        rng = np.random.default_rng(0)
        for start in range(STARTS):
            q = np.array(near) if start == 0 else rng.uniform(self.low, self.high)
            if (found := self.descend(T_base_flange, q)) is not None:
                return found
        return None

    @property
    def shoulder(self) -> Float[np.ndarray, "3"]:
        """Where the second joint turns with all joints at 0, in the base's frame: the arm's reach is measured there."""
        self.forward(np.zeros(self.model.nq))
        joint = min(2, self.model.njoints - 1)
        T_base_joint = inverse(self.data.oMf[self.base].homogeneous) @ self.data.oMi[joint].homogeneous
        return np.asarray(T_base_joint[:3, 3])

    def descend(
        self, T_base_flange: Float[np.ndarray, "4 4"], q: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """Joints that reach the pose, by one descent from `q`; None where it does not arrive."""
        pin, model, data = self.pin, self.model, self.data
        pin.framesForwardKinematics(model, data, q)
        goal = pin.SE3(data.oMf[self.base].homogeneous @ T_base_flange)
        for _ in range(STEPS):
            pin.framesForwardKinematics(model, data, q)
            left = data.oMf[self.flange].actInv(goal)
            error = pin.log6(left).vector
            if np.linalg.norm(error) < PRECISE:
                return np.asarray(q)
            J = pin.Jlog6(left.inverse()) @ pin.computeFrameJacobian(model, data, q, self.flange)
            step = J.T @ np.linalg.solve(J @ J.T + DAMPING * np.eye(6), error)
            q = np.clip(q + step, self.low, self.high)
        return None
