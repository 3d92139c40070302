"""A pilot is on a lead: no step is longer than allowed, and one that is silent has lost the arm."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.cell.following import (
    Command,
    FreePixels,
    FrozenPilot,
    Guide,
    NoSummit,
    StepLimits,
    check_step,
    distance,
    towards,
)
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.transforms import transform

LIMITS = StepLimits()
HERE = transform(np.diag([1.0, -1.0, -1.0]), (0.2, 0.0, 1.1))
NOTHING = Views(np.zeros((1, 2, 3, 3), np.uint8), np.eye(3)[None], np.eye(4)[None])


def moved(shift: tuple[float, float, float], turn: float = 0.0) -> np.ndarray:
    return transform(HERE[:3, :3] @ Rotation.from_rotvec([0, turn, 0]).as_matrix(), HERE[:3, 3] + shift)


def test_a_near_pose_is_reached_and_a_far_one_approached_straight() -> None:
    near, far = moved((0.01, 0.0, -0.01), 0.1), moved((0.3, 0.0, -0.4), 0.2)
    np.testing.assert_allclose(towards(HERE, near, LIMITS), near, atol=1e-12)
    step = towards(HERE, far, LIMITS)
    np.testing.assert_allclose(step[:3, 3] - HERE[:3, 3], [0.012, 0.0, -0.016], atol=1e-12)
    assert distance(HERE, step)[1] == pytest.approx(0.2 * 0.02 / 0.5)
    check_step(HERE, step, LIMITS)


def test_a_wide_turn_is_cut_and_slows_the_way() -> None:
    step = towards(HERE, moved((0.01, 0.0, 0.0), 1.5), LIMITS)
    assert distance(HERE, step) == (pytest.approx(0.001), pytest.approx(LIMITS.turn))


def test_what_is_no_step_reaches_no_driver() -> None:
    with pytest.raises(UnsafePose, match=r"step of 21\.0 mm and 0\.0 degrees, allowed are 20\.0 mm and 8\.6 degrees"):
        check_step(HERE, moved((0.021, 0.0, 0.0)), LIMITS)
    with pytest.raises(UnsafePose, match="a step of"):
        check_step(HERE, moved((0.0, 0.0, 0.0), 0.16), LIMITS)
    with pytest.raises(UnsafePose, match="NaN"):
        towards(HERE, np.full((4, 4), np.nan), LIMITS)
    with pytest.raises(UnsafePose):
        check_step(HERE, np.full((4, 4), np.nan), LIMITS)


def test_a_step_takes_no_longer_than_its_cycle() -> None:
    with pytest.raises(ValueError, match=r"allowed are up to 0\.01 m"):
        StepLimits(rate=10)
    assert StepLimits(rate=10, step=0.01).rate == 10


@pytest.mark.parametrize(
    ("rate", "speed", "metres"),
    [(4, 0.1, 0.25**2 * 0.5 / 4), (2, 0.1, 0.02), (2, 0.03, 0.03 * (0.5 - 0.06)), (2, 1.0, 0.02)],
)
def test_an_arm_that_starts_and_stops_makes_shorter_steps(rate: float, speed: float, metres: float) -> None:
    """At 0.5 m/s^2: half of a short cycle is starting, the other half stopping."""
    limits = StepLimits(rate=rate)
    assert limits.in_cycle(speed, 0.5).step == pytest.approx(metres)
    assert limits.in_cycle(speed, 0.5).turn == limits.turn and limits.step == 0.02


def test_a_guide_counts_looks_and_hears_the_end() -> None:
    guide = Guide(lambda views, T: Command(None), StepLimits(looks=2), watched=False)
    assert np.array_equal(guide(NOTHING, HERE), HERE) and np.array_equal(guide(NOTHING, HERE), HERE)
    with pytest.raises(NoSummit, match="not reached in 2 looks"):
        guide(NOTHING, HERE)
    assert Guide(lambda views, T: Command(None, close=True), LIMITS, watched=False)(NOTHING, HERE) is None


def test_a_silent_pilot_is_found_and_its_errors_are_heard() -> None:
    forever = threading.Event()
    limits = StepLimits(patience=0.05)
    with pytest.raises(FrozenPilot, match=r"no answer within 0\.05 s"):
        Guide(lambda views, T: forever.wait() and Command(None), limits, watched=True)(NOTHING, HERE)
    forever.set()

    def broken(views: Views, T: np.ndarray) -> Command:
        raise ValueError("no such view")

    with pytest.raises(ValueError, match="no such view"):
        Guide(broken, LIMITS, watched=True)(NOTHING, HERE)
    assert Guide(lambda views, T: Command(None, close=True), LIMITS, watched=True)(NOTHING, HERE) is None


def test_covered_pixels_are_shown_as_they_were_seen_last() -> None:
    def picture(grey: int) -> Views:
        return Views(np.full((1, 2, 3, 3), grey, np.uint8), NOTHING.K, NOTHING.Ts_world_cam)

    left = np.zeros((1, 2, 3), bool)
    left[..., 0] = True
    free = FreePixels(picture(1))
    assert free(picture(2), left).images[0, :, :, 0].tolist() == [[1, 2, 2]] * 2
    assert free(picture(3), ~left).images[0, :, :, 0].tolist() == [[3, 2, 2]] * 2
