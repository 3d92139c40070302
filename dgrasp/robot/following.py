"""The cell of devices, steered on its way: stop and go, every step checked, and a pilot that must answer in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from dgrasp.cameras import Views
from dgrasp.cell.following import Guide, NoSummit, Pilot, StepLimits, check_step, half_turn_between, together, within
from dgrasp.cell.interface import Execution, FrozenCamera, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.policy.policies import NoGraspError
from dgrasp.robot.arrival import check_there, measured_tcp
from dgrasp.robot.devices import DeviceCell
from dgrasp.robot.limits import SafetyLimits, check_pose
from dgrasp.robot.safety import SafeGrasp
from dgrasp.sim.following import nearest_posture
from dgrasp.sim.sight import Sight

STRIDE = 0.01  # m between the poses at which a straight way is checked
GIVEN_UP = (NoSummit, NoGraspError, UnsafePose)  # the arm goes back the way it came


class SteeredDevices(DeviceCell):
    """A `DeviceCell` with `follow`: armed, checked and stopped as for any grasp.

    Each step begins at the measured pose, and is held against the limits from there: an arm that lags does not gather
    up a way, and one that is not where its step ended is a fault (`dgrasp.robot.arrival`). The grasp is where the arm
    is measured at last. Between its steps the arm stands, while cameras look and the pilot thinks; a pilot or a camera
    that is silent for `steps.patience` seconds ends the cell's work, as a fault of a device does. Each step fits in a
    cycle of `steps.rate`, looking and thinking come on top: `Execution.seconds` has the mean "cycle" from look to look
    and the "longest cycle". Standing cameras look past the arm (`dgrasp.sim.sight.Sight`); one on the wrist sees what
    it sees from where the arm is.
    """

    def __init__(self, *parts: Any, steps: StepLimits | None = None, **more: Any) -> None:
        """parts, more: as `DeviceCell`."""
        super().__init__(*parts, **more)
        self.steps = steps or StepLimits()
        self._guide: Guide | None = None
        self._sight: Sight | None = None
        self._cycles: list[float] = []  # seconds from look to look
        self._led = False  # whether an attempt is under way: then cameras answer in time, too
        self._moved = False  # whether the arm has moved in it

    def follow(self, T_world_tcp: Float[np.ndarray, "4 4"], pilot: Pilot) -> Execution:
        """See `dgrasp.cell.following.FollowingCell`. In a dry run the way to the planned grasp is checked, as ever."""
        with self._turn():
            grasp = self.safety.grasp(T_world_tcp)
            if self.dry_run:
                return Execution(grasp.T_world_grasp, moved=False)
            with self._guarded(), self._in_time():
                self._check_hand()
                self._asked, self._moved = np.asarray(T_world_tcp, dtype=np.float64), False
                standing = self._standing
                self._sight = Sight(self.observe()[standing], self.safety.world) if standing else None
                limits = self.steps.in_cycle(self._speed, self.safety.motion.acceleration)
                self._guide, self._cycles = Guide(pilot, limits, watched=True), []
                try:
                    done = self._execute(grasp)
                except GIVEN_UP as end:
                    outcome = Outcome.REFUSED if isinstance(end, UnsafePose) else Outcome.NO_GRASP
                    done = Execution(grasp.T_world_grasp, moved=self._moved, outcome=outcome, reason=str(end))
                finally:
                    self._guide = None
                return replace(done, seconds={**self._pace(), **done.seconds})

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        self._led = True
        try:
            yield
        finally:
            self._led = False

    def _joints(self, q: np.ndarray) -> None:
        super()._joints(q)
        self._moved = True

    def _pace(self) -> dict[str, float]:
        if not self._cycles:
            return {}
        mean, longest = float(np.mean(self._cycles)), max(self._cycles)
        return {"cycle": round(mean, 3), "longest cycle": round(longest, 3)}

    def _approach(self, grasp: SafeGrasp) -> SafeGrasp:
        if self._guide is None:
            return super()._approach(grasp)
        turn = half_turn_between(self._asked, grasp.T_world_grasp)
        path = [measured_tcp(self.arm) @ turn]
        T_told = path[0]
        looked = time.monotonic()
        try:
            while (T_next := self._guide(self._look(), path[-1])) is not None:
                self._check_armed()
                if not np.array_equal(T_next, path[-1]):  # told to go where it is measured, a lagging arm would creep
                    path.append(self._step(path[-1], T_next, turn))
                    T_told = T_next
                looked, before = time.monotonic(), looked
                self._cycles.append(looked - before)
            return self._from_here(grasp, T_told @ turn, path[-1] @ turn)
        except GIVEN_UP:
            for T in reversed(path):  # the way that was free when it came
                self._line(T @ turn)
            self._joints(self.safety.arm.home)
            raise

    def _step(self, T_from: np.ndarray, T_to: np.ndarray, turn: np.ndarray) -> np.ndarray:
        """One step from the measured pose that the pilot was told of. Returns the one that is measured after it."""
        check_there(self.arm, T_from @ turn, "before a step")
        check_step(T_from, T_to, self.steps)
        T = check_waypoint(T_to, self.safety.limits, self.steps) @ turn
        q = self.arm.joints()
        self.safety.joint_motion(q, nearest_posture(T, q, self.safety.arm))
        self._check_armed()
        self.arm.move_line(T, speed=self._speed, acceleration=self.safety.motion.acceleration)
        return check_there(self.arm, T, "after a step") @ turn

    @property
    def _speed(self) -> float:
        return min(self.steps.speed, self.safety.motion.linear_speed)

    def _from_here(self, grasp: SafeGrasp, T_told: np.ndarray, T_measured: np.ndarray) -> SafeGrasp:
        """The grasp at the pose that was measured, its ways up and back checked; raises UnsafePose.

        T_told: the pose that it was told to, which is held against the workspace: at its faces, noise decides nothing.
        """
        check_pose(T_told, self.safety.limits)
        T = T_measured
        T_before, T_lifted = T.copy(), T.copy()
        T_before[:3, 3] -= self.safety.motion.approach_distance * T[:3, 2]
        T_lifted[2, 3] += self.safety.motion.lift_height
        for T_end in (T_before, T_lifted):
            self._check_line(T, T_end)
        return replace(grasp, T_world_before=T_before, T_world_grasp=T, T_world_lifted=T_lifted)

    def _check_line(self, T_from: np.ndarray, T_to: np.ndarray) -> None:
        q, way = self.arm.joints(), T_to[:3, 3] - T_from[:3, 3]
        for share in np.linspace(0, 1, max(2, int(np.ceil(np.linalg.norm(way) / STRIDE)) + 1))[1:]:
            T = T_from.copy()
            T[:3, 3] += share * way
            q_next = nearest_posture(T, q, self.safety.arm)
            self.safety.joint_motion(q, q_next)
            q = q_next

    # --- views

    @property
    def _standing(self) -> list[int]:
        """Numbers of the views whose cameras stand."""
        return [i for i, view in enumerate(self.viewpoints) if self.calibration.of(view.camera).mount == "world"]

    def _look(self) -> Views:
        """Standing cameras past the arm, then those that it carries, from where it is, one view each."""
        standing = [self.viewpoints[i].camera for i in self._standing]
        carried = list(dict.fromkeys(view.camera for view in self.viewpoints if view.camera not in standing))
        seen = [self._pictures(carried)] if carried else []
        if self._sight is not None:
            seen.insert(0, self._sight(self._pictures(standing), self.arm.joints()))
        return together(seen)

    @property
    def standing_views(self) -> int:
        """See `dgrasp.cell.following.FollowingCell`."""
        return len(self._standing)

    def _capture(self, camera: str) -> UInt8[np.ndarray, "h w 3"]:
        if not self._led:
            return super()._capture(camera)
        seconds = self.steps.patience
        frozen = FrozenCamera(
            f"camera {camera}: no picture within {seconds:g} s; the arm was stopped where it is. Plug the camera in "
            "anew, close the cell and open it anew"
        )
        return within(seconds, self.cameras[camera].capture, frozen, name=f"camera {camera}")

    def _pictures(self, cameras: list[str]) -> Views:
        return Views(*(np.stack(column) for column in zip(*map(self._picture, cameras), strict=True)))


def check_waypoint(
    T_world_tcp: Float[np.ndarray, "4 4"], limits: SafetyLimits, steps: StepLimits
) -> Float[np.ndarray, "4 4"]:
    """A pose on the way: as `check_pose`, but up to `steps.above` higher; raises UnsafePose."""
    T = np.array(T_world_tcp, dtype=np.float64)
    above = float(np.clip(T[2, 3] - limits.high[2], 0.0, steps.above)) if np.isfinite(T).all() else 0.0
    lowered = T.copy()
    lowered[2, 3] -= above
    checked = check_pose(lowered, limits)
    checked[2, 3] += above
    return checked
