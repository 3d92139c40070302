"""The pilot on landscapes whose summit is known: it is reached, followed, and seen to be reached."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dgrasp.cameras import Views
from dgrasp.cell.following import StepLimits, distance, towards
from dgrasp.cell.motion import HALF_TURN
from dgrasp.cell.transforms import transform, yaw
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.policy.policies import POLICIES, GraspPolicy
from dgrasp.policy.servo import AscentConfig, Servo, from_behind
from dgrasp.slopes.config import OptimizerConfig

DOWN = np.diag([1.0, -1.0, -1.0])
SUMMIT = transform(yaw(0.4) @ DOWN, (0.25, -0.05, 1.0))
LIMITS = StepLimits()
NOTHING = Views(np.zeros((1, 2, 3, 3), np.uint8), np.eye(3)[None], np.eye(4)[None])
OPTIMIZER = OptimizerConfig(steps=14, translation_rate=0.02, rotation_rate=0.1, gradient_clip=None, n_starts=8)


class Cone:
    """A `GraspValue` of a landscape that falls off evenly from `summit`, by metres and by the entries of the rotation.

    steepness: per metre. flat: metres along the summit's y that make no difference.
    """

    def __init__(self, summit: np.ndarray, steepness: float = 400.0, flat: float = 0.0) -> None:
        self.summit, self.steepness, self.flat = summit, steepness, flat
        self.readout = nn.Linear(1, 1)

    def encode(self, views: Views) -> Views:
        return views

    def bind(self, views: Views):  # type: ignore[no-untyped-def]
        top = torch.from_numpy(self.summit).float()

        def score(T: torch.Tensor) -> torch.Tensor:
            away = (T[:, :3, 3] - top[:3, 3]) @ top[:3, :3]
            along = away[:, 1].abs().sub(self.flat).clamp(min=0)
            metres = torch.stack([away[:, 0], along, away[:, 2]], -1).square().sum(-1).add(1e-8).sqrt()
            turned = (T[:, :3, :3] - top[:3, :3]).square().sum((1, 2))
            return -self.steepness * metres - 20 * turned

        return score


def servo(value: Cone, planned: np.ndarray, **rule: object) -> Servo:
    bounds = tuple(torch.tensor(corner, dtype=torch.float32) for corner in (BOUNDS_LOW, BOUNDS_HIGH))
    config = OptimizerConfig.model_validate(OPTIMIZER.model_dump() | rule)
    policy = GraspPolicy(POLICIES["dgrasp_quat_sync"], value, config, bounds)  # type: ignore[arg-type]
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
