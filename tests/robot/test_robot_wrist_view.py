"""The loop with a camera on the wrist, on devices that are a few lines each: what a pilot is shown on the way."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from robot_poses import top_down
from robot_stand_ins import HEIGHT, WIDTH, standing_calibration

from dgrasp.cell.description import CameraDescription, read_cell
from dgrasp.cell.following import Command, StepLimits, distance
from dgrasp.cell.gripper import OPENING, TOOL0_TCP
from dgrasp.cell.hand import CAMERA_SENSOR, tcp_pose
from dgrasp.cell.interface import Calibration, FrozenCamera
from dgrasp.cell.transforms import transform
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.robot.arming import CONFIRMATION
from dgrasp.robot.devices import check_mount
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.following import SteeredDevices
from dgrasp.robot.limits import SafetyLimits
from dgrasp.robot.safety import HOME, SafetyCheck
from dgrasp.robot.viewpoints import Viewpoint, wrist_viewpoints
from dgrasp.sim.following import nearest_posture

GRASP = top_down(0.25, 0.1, 0.05)
ASIDE = top_down(0.28, 0.08, 0.05)


class FakeArm:
    """Is where it was sent."""

    def __init__(self) -> None:
        self.q, self.motions = HOME.copy(), []

    def joints(self):
        return self.q.copy()

    def tcp(self):
        return tcp_pose(self.q)

    def move_joints(self, q, **_):
        self.q = np.array(q)
        self.motions.append("joints")

    def move_line(self, T_world_tcp, **_):
        self.q = nearest_posture(T_world_tcp, self.q)
        self.motions.append("line")

    def stop(self):
        self.motions.append("stop")

    def close(self):
        pass


class FakeGripper:
    """Holds something whenever it has closed."""

    width = OPENING

    def activate(self):
        pass

    def move(self, width, **_):
        self.width = width
        return width

    def holds(self):
        return self.width < OPENING / 2

    def close(self):
        pass


class FakeCamera:
    """Stops after so many pictures."""

    serial = ""

    def __init__(self, pictures=1000):
        self.left = pictures

    def capture(self):
        self.left -= 1
        if self.left < 0:
            raise FrozenCamera("camera left: no new frame within 1 s")
        return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)

    def close(self):
        pass


def cell_of(viewpoints, cameras, safety, arm, calibration):
    """Devices that are steered."""
    return SteeredDevices(
        arm, FakeGripper(), cameras, viewpoints, calibration, peers={"arm": Peer("127.0.0.1", here=True)}, real=False,
        serials={}, safety=safety, steps=StepLimits(rate=2, step=0.05, patience=60),
    )  # fmt: skip


def to_aside(views, T_world_tcp):
    """A pilot that closes there."""
    return Command(ASIDE, close=distance(T_world_tcp, ASIDE)[0] < 0.002)


def test_a_camera_that_stops_on_the_way_stops_the_arm_and_the_cell():
    """The first picture is of the scene without the arm; it goes no further than it has seen."""
    arm, (left, _) = FakeArm(), standing_calibration().cameras
    with SafetyCheck(SafetyLimits()) as safety:
        cameras = {"left": FakeCamera(pictures=3)}
        cell = cell_of((Viewpoint(camera="left"),), cameras, safety, arm, Calibration(cameras=(left,)))
        with cell.armed(CONFIRMATION), pytest.raises(FrozenCamera, match="no new frame") as raised:
            cell.follow(GRASP, to_aside)
    assert raised.value.phase == "approach" and cell.broken
    assert arm.motions == ["joints", "line", "line", "stop"], "to the pre-grasp, a step for each look, and no way home"


def test_a_camera_on_a_described_hand_is_where_the_description_has_it():
    """Which may carry one (`mounted: flange`); the paper's place of it is that of the paper's hand."""
    left = standing_calibration().cameras[0]

    def on_hand(p):
        T = tuple(map(tuple, transform(None, p).tolist()))
        return left.model_copy(update={"camera": "wrist", "mount": "tool0", "T_mount_cam": T})

    described = read_cell("ur5_2f85")
    place = {"position": (0.0, -0.07, 0.03), "orientation": (0.0, 0.0, 0.0, 1.0), "mounted": "flange"}
    looks = [{"azimuth": a, "polar": 45.0, "distance": 0.8} for a in (-80.0, 80.0)]
    lens = described.cameras[0].model_dump(include={"name", "width", "height", "fx", "fy", "cx", "cy"})
    carries = CameraDescription.model_validate(lens | place | {"looks": looks})
    cell = SimpleNamespace(name="mine", description=described.model_copy(update={"cameras": (carries,)}))
    check_mount(on_hand((0.0, -0.07, 0.03)), cell)
    with pytest.raises(ValueError, match=r"camera wrist: its sensor is at .*\(0, -70, 30\) mm"):
        check_mount(on_hand(CAMERA_SENSOR), cell)
    with pytest.raises(ValueError, match="camera wrist: theirs has no camera on its hand"):
        check_mount(on_hand(CAMERA_SENSOR), SimpleNamespace(name="theirs", description=described))


@pytest.mark.parametrize("stands", [False, True], ids=["alone", "beside one that stands"])
def test_a_camera_on_the_wrist_looks_from_where_the_arm_has_come(stands):
    """One view of it, not one for each of its looks, behind that of the camera that stands."""
    arm, seen, (left, _) = FakeArm(), [], standing_calibration().cameras
    T_tool0_cam = transform(None, CAMERA_SENSOR)
    on_arm = {"camera": "wrist", "mount": "tool0", "T_mount_cam": tuple(map(tuple, T_tool0_cam.tolist()))}
    wrist = left.model_copy(update=on_arm)

    def pilot(views, T_world_tcp):
        seen.append((views, T_world_tcp))
        return to_aside(views, T_world_tcp)

    with SafetyCheck(SafetyLimits()) as safety:
        looks = wrist_viewpoints(wrist, evaluation_viewpoints(2), safety)
        viewpoints = (looks[0], Viewpoint(camera="left")) if stands else looks
        cameras = {"wrist": FakeCamera(), "left": FakeCamera()}
        cell = cell_of(viewpoints, cameras, safety, arm, Calibration(cameras=(wrist, left)))
        assert cell.standing_views == int(stands)
        with cell.armed(CONFIRMATION):
            before = cell.observe()
            done = cell.follow(GRASP, pilot)
    assert done.holds and distance(done.T_world_tcp, ASIDE)[0] < 0.002 and len(seen) > 2
    p_tcp_cam = np.array(CAMERA_SENSOR) - [0.0, 0.0, TOOL0_TCP]
    for views, T in seen:
        assert len(views) == 1 + stands
        either = [T[:3, :3] @ p + T[:3, 3] for p in (p_tcp_cam, p_tcp_cam * [-1, -1, 1])]  # or the hand turned by half
        assert min(np.linalg.norm(views.Ts_world_cam[-1, :3, 3] - p) for p in either) < 1e-6
        if stands:
            np.testing.assert_allclose(views.Ts_world_cam[0], before.Ts_world_cam[1], atol=1e-12)
