"""The pilot on landscapes whose summit is known: it is reached, followed, and seen to be reached."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from landscapes import Cone, policy_on

from dgrasp.cameras import Views
from dgrasp.cell.following import NoSummit, StepLimits, distance, towards
from dgrasp.cell.motion import HALF_TURN
from dgrasp.cell.transforms import transform, yaw
from dgrasp.policy.policies import NoGraspError
from dgrasp.policy.servo import AscentConfig, Servo, from_behind
from dgrasp.slopes.config import OptimizerConfig

DOWN = np.diag([1.0, -1.0, -1.0])
SUMMIT = transform(yaw(0.4) @ DOWN, (0.25, -0.05, 1.0))
LIMITS = StepLimits()
NOTHING = Views(np.zeros((1, 2, 3, 3), np.uint8), np.eye(3)[None], np.eye(4)[None])
OPTIMIZER = OptimizerConfig(steps=14, translation_rate=0.02, rotation_rate=0.1, gradient_clip=None, n_starts=8)


def servo(value: Cone, planned: np.ndarray, **rule: object) -> Servo:
    policy = policy_on(value, OptimizerConfig.model_validate(OPTIMIZER.model_dump() | rule))
    return Servo(policy, planned, torch.Generator().manual_seed(0), LIMITS.above, AscentConfig(scored=8, climbing=3))


def led(pilot: Servo, T: np.ndarray, looks: int = 60, each=lambda: None):  # type: ignore[no-untyped-def]
    """Poses of a TCP that is led, and whether the pilot closed."""
    path = [T]
    for _ in range(looks):
        command = pilot(NOTHING, path[-1])
        if command.close:
            return path, True
        path.append(towards(path[-1], command.T_world_tcp, LIMITS))
        each()
    return path, False


def behind(T: np.ndarray, metres: float = 0.1) -> np.ndarray:
    return T @ transform(None, (0.0, 0.0, -metres))


def test_the_summit_is_reached_and_noticed() -> None:
    pilot = servo(Cone(SUMMIT), SUMMIT)
    path, closed = led(pilot, behind(SUMMIT))
    metres, radians = distance(path[-1], SUMMIT)
    assert closed and metres < 0.006 and radians < 0.1
    values = [look.value for look in pilot.looks]
    assert len(values) < 15 and values[-1] > -4  # 20 mm a look, and two that see it there


def test_a_summit_that_has_moved_is_found_from_the_old_plan() -> None:
    pushed = transform(None, (0.05, 0.06, 0.0)) @ SUMMIT
    path, closed = led(servo(Cone(pushed), SUMMIT), behind(SUMMIT))
    assert closed and distance(path[-1], pushed)[0] < 0.006


def test_a_moving_summit_is_followed() -> None:
    value = Cone(SUMMIT.copy())

    def drift() -> None:
        value.summit[0, 3] += 0.01 / LIMITS.rate  # 10 mm/s

    path, closed = led(servo(value, SUMMIT), behind(SUMMIT), each=drift)
    assert closed and distance(path[-1], value.summit)[0] < 0.012
    assert value.summit[0, 3] - SUMMIT[0, 3] > 0.012


def test_on_a_ridge_the_nearest_summit_will_do() -> None:
    """A grasp anywhere along an object's side is as good as any: the TCP does not wander along it."""
    start = behind(SUMMIT @ transform(None, (0.0, 0.02, 0.0)))
    path, closed = led(servo(Cone(SUMMIT, flat=0.03), SUMMIT), start)
    assert closed and len(path) < 15
    along = [float((np.linalg.inv(SUMMIT) @ T)[1, 3]) for T in path]
    assert abs(along[-1]) < 0.035 and np.ptp(along) < 0.03


def test_a_grasp_is_the_same_after_half_a_turn() -> None:
    path, closed = led(servo(Cone(SUMMIT), SUMMIT), behind(SUMMIT @ HALF_TURN))
    assert closed and distance(path[-1], SUMMIT @ HALF_TURN)[1] < 0.1
    assert max(distance(T, path[0])[1] for T in path) < 0.3


def test_the_real_robots_offset_is_kept_from_look_to_look() -> None:
    path, closed = led(servo(Cone(SUMMIT), SUMMIT, approach_offset=0.01), behind(SUMMIT))
    assert closed and abs(path[-1][2, 3] - (SUMMIT[2, 3] - 0.01)) < 0.006


def test_the_way_leads_from_behind() -> None:
    config = AscentConfig(cone=1.5, lever=0.0, behind=0.1, near=0.01)
    beside = SUMMIT @ transform(None, (0.04, 0.0, 0.0))
    np.testing.assert_allclose(from_behind(beside, SUMMIT, config), behind(SUMMIT, 0.045), atol=1e-12)
    np.testing.assert_allclose(from_behind(behind(SUMMIT), SUMMIT, config), SUMMIT, atol=1e-12)
    far = SUMMIT @ transform(None, (0.4, 0.0, 0.0))
    np.testing.assert_allclose(from_behind(far, SUMMIT, config), behind(SUMMIT, 0.1), atol=1e-12)


def test_equal_looks_give_equal_commands() -> None:
    first, second = (servo(Cone(SUMMIT), SUMMIT)(NOTHING, behind(SUMMIT)) for _ in range(2))
    assert np.array_equal(first.T_world_tcp, second.T_world_tcp)


def test_a_landscape_that_grows_nan_stops_the_climb() -> None:
    with pytest.raises(ValueError, match="NaN"):
        servo(Cone(np.full((4, 4), np.nan)), SUMMIT)(NOTHING, behind(SUMMIT))


def test_where_nothing_points_down_the_attempt_ends() -> None:
    """For the cell that is led it is the end of the attempt, for who plans it is no grasp."""
    up = SUMMIT.copy()
    up[:3, :3] = np.eye(3)
    with pytest.raises(NoSummit, match="candidates approaches from above") as raised:
        servo(Cone(up), up, approach="downwards")(NOTHING, up)
    assert isinstance(raised.value, NoGraspError)


def test_networks_are_shown_what_they_were_trained_on() -> None:
    def wider(views: Views) -> Views:
        return Views(np.zeros((1, 2, 7, 3), np.uint8), views.K, views.Ts_world_cam)

    pilot = servo(Cone(SUMMIT), SUMMIT)
    pilot.as_seen = wider
    pilot(NOTHING, behind(SUMMIT))
    assert pilot.policy.value.widths == [7]
