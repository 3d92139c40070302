"""Cells as data: the shipped ones are what they say, and what cannot be is one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from dgrasp.cell import gripper, hand, ur10, workspace
from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import SHIPPED, CellDescription, read_cell
from dgrasp.cell.examined import _few, examine_cell
from dgrasp.cell.kinematics import Numeric, kinematics_of
from dgrasp.cell.model import PAPERS
from dgrasp.cell.observer import Observer
from dgrasp.cell.simulable import lens_notes, simulator_problems
from dgrasp.cell.transforms import inverse, pose_vector
from dgrasp.cell.urdf import missing_meshes, urdf_path
from dgrasp.cli.main import main
from dgrasp.data.config import DataConfig
from dgrasp.data.generate import _cameras
from dgrasp.files import UserFileError
from dgrasp.report.figures.cell_drawing import draw_cell
from dgrasp.report.figures.own_picture import MARK, check_picture

CELLS = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
OTHERS = ["panda_hand", "ur5_2f85"]


def test_the_papers_cell_is_what_the_simulator_has_to_the_bit() -> None:
    cell = read_cell("ur10_2f140_d415")
    w, g, arm = workspace, cell.gripper, cell.arm
    assert cell.bench.table_size == w.TABLE_SIZE and cell.bench.table_centre == w.TABLE_CENTRE_XY
    assert cell.bench.board_size == w.BOARD_SIZE and cell.bench.board_centre == w.BOARD_CENTRE_XY
    assert cell.bench.board_top == w.BOARD_TOP and np.array_equal(cell.bench.middle, w.BOARD_CENTRE)
    assert np.array_equal(cell.workspace.low, w.BOUNDS_LOW) and np.array_equal(cell.workspace.high, w.BOUNDS_HIGH)
    assert arm.base_position == w.BASE_POSITION and arm.joints == ur10.JOINTS
    assert np.array_equal(arm.upper, ur10.POSITION_LIMITS) and np.array_equal(arm.lower, -ur10.POSITION_LIMITS)
    assert np.array_equal(arm.speed, ur10.VELOCITY_LIMITS) and np.array_equal(arm.home, ur10.HOME)
    assert (g.opening, g.force, g.speed) == (gripper.OPENING, gripper.FORCE_RANGE, gripper.SPEED_RANGE)
    assert (g.finger, g.tip_ahead, g.tcp_ahead) == (gripper.PAD_SIZE, gripper.TIP_BEHIND, gripper.TOOL0_TCP)
    observer = Observer()
    assert [c.intrinsics for c in cell.cameras] == [observer.intrinsics] * 2
    assert np.array_equal([view.T_world_cam for view in cell.views], observer.Ts_world_cam)
    T_world_tcp = arm.T_world_base @ ur10.forward(ur10.HOME) @ g.T_flange_tcp
    np.testing.assert_allclose(T_world_tcp, hand.tcp_pose(ur10.HOME), atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_the_shipped_cells_are_whole_and_in_reach(name: str) -> None:
    if name in OTHERS:
        pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    found = examine_cell(name)
    assert found.problems == []
    assert len(found.places) == 50 and (found.reached == 4).all()


@pytest.mark.parametrize("name", OTHERS)
def test_inverse_kinematics_reach_what_forward_kinematics_give(name: str) -> None:
    pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    cell = read_cell(name)
    arm = kinematics_of(cell.arm, urdf_path(cell.arm.urdf, SHIPPED))
    rng = np.random.default_rng(0)
    low, high = np.array(cell.arm.lower), np.array(cell.arm.upper)
    found = 0
    for q in rng.uniform(0.8 * low + 0.2 * high, 0.2 * low + 0.8 * high, (12, len(low))):
        T = arm.forward(q)
        solved = arm.inverse(T, np.array(cell.arm.home))
        if solved is not None:
            found += 1
            assert ((solved >= low) & (solved <= high)).all()
            np.testing.assert_allclose(arm.forward(solved), T, atol=2e-5)
    assert found >= 11
    far = np.eye(4)
    far[0, 3] = 3.0
    assert arm.inverse(far, np.array(cell.arm.home)) is None


def test_the_numeric_arm_agrees_with_the_closed_form() -> None:
    """The UR10's model and its table of Denavit and Hartenberg: two sources for one arm."""
    pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    cell = read_cell("ur10_2f140_d415")
    numeric = Numeric(cell.arm, urdf_path(cell.arm.urdf, SHIPPED))
    for q in np.random.default_rng(1).uniform(-2, 2, (5, 6)):
        np.testing.assert_allclose(numeric.forward(q), ur10.forward(q), atol=1e-4)
        solved = kinematics_of(cell.arm, Path()).inverse(ur10.forward(q), q)
        assert solved is not None
        np.testing.assert_allclose(solved, q, atol=1e-6)


def test_the_pandas_hand_closes_along_its_models_fingers() -> None:
    pin = pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    cell = read_cell("panda_hand")
    model = pin.buildModelFromUrdf(str(urdf_path(cell.arm.urdf, SHIPPED)))
    data = model.createData()
    q = np.concatenate([cell.arm.home, [0.04, 0.04]])
    pin.framesForwardKinematics(model, data, q)
    flange, tcp = (data.oMf[model.getFrameId(name)].homogeneous for name in ("panda_link8", "panda_hand_tcp"))
    fingers = [data.oMf[model.getFrameId(f"panda_{side}finger")].translation for side in ("left", "right")]
    T = inverse(flange) @ tcp
    np.testing.assert_allclose(cell.gripper.T_flange_tcp[:3, 3], T[:3, 3], atol=1e-4)
    across = flange[:3, :3].T @ (fingers[0] - fingers[1])
    np.testing.assert_allclose(np.abs(across / np.linalg.norm(across)), cell.gripper.closing_axis, atol=1e-6)
    assert np.linalg.norm(across) == pytest.approx(cell.gripper.opening, abs=1e-6)


def change(*keys: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(about: dict[str, Any]) -> None:
        for key in keys[:-1]:
            about = about[key]  # type: ignore[index]
        about[keys[-1]] = to  # type: ignore[index]

    return apply


LENS = {
    "name": "right",
    "width": 640,
    "height": 480,
    "fx": 617.0,
    "fy": 617.0,
    "cx": 320.0,
    "cy": 240.0,
    "distance": 0.8,
}
LOOK = {"azimuth": 80.0, "polar": 45.0, "distance": 0.5}
ON_WRIST = {"position": [0.0, -0.07, 0.03], "orientation": [0.0, 0.0, 0.0, 1.0], "mounted": "flange"}


def posed(i: int, **keys: Any) -> Callable[[dict[str, Any]], None]:
    """A camera with a pose instead of a place on a sphere."""

    def apply(about: dict[str, Any]) -> None:
        lens = {key: value for key, value in about["cameras"][i].items() if key not in LOOK}
        about["cameras"][i] = lens | {"position": [0.5, 0.0, 1.5], "orientation": [0.0, 0.0, 0.0, 1.0]} | keys

    return apply


IMPOSSIBLE = [
    (change("gripper", "opening", to=-0.1), "gripper.opening: Input should be greater than 0"),
    (
        change("gripper", "opening", to=85.0),
        "gripper.opening: .*85 m; allowed are up to 0.5 m, are these millimetres, n",
    ),
    (change("gripper", "opening", to=0.008), "opening: 0.008 m; allowed are 0.02 m and more"),
    (change("gripper", "tcp_ahead", to=103.4), "gripper.tcp_ahead: .*103.4 m; .*are these millimetres, not metres"),
    (
        change("gripper", "tip_ahead", to=0.07),
        "tip_ahead: 0.07 m, with fingers of 0.07 m: the tool .* behind the fingers",
    ),
    (change("gripper", "force", to=[125.0, 10.0]), "gripper.force: .*expected a smaller and a larger number"),
    (change("gripper", "closing_axis", to=[0.0, 0.0, 1.0]), "no unit vector in the flange's x-y plane"),
    (change("gripper", "finger", to=[7.5, 27.0, 70.0]), "allowed are 0 to 0.3, are they millimetres"),
    (change("gripper", "finger", to=[0.15, 0.02, 0.05]), "finger: a thickness of 0.15 m; allowed are 0.001 to 0.05 m"),
    (change("gripper", "finger", to=[0.0075, 0.2, 0.07]), "finger: a width of 0.2 m; allowed are 0.002 to 0.1 m"),
    (change("gripper", "finger", to=[0.0075, 0.02, 0.001]), "finger: a length of 0.001 m; allowed are 0.01 to 0.3 m"),
    (change("gripper", "body", to=[0.01, 0.01]), "body: 0.01 m across the fingers, which open to 0.14 m: .* 0.14 m a"),
    (change("gripper", "body", to=[0.2, 0.01]), "body: 0.01 m along the fingers' width; allowed are 0.02 m and more"),
    (change("gripper", "force", to=[3.0, 999.0]), "force: 999 N per finger; allowed are 500 at most"),
    (change("gripper", "speed", to=[0.0, 1e-5]), "speed: 1e-05 m/s; allowed are 0.002 and more for the fastest"),
    (change("gripper", "tcp_ahead", to=0.8), "gripper.tcp_ahead: 0.8 m; allowed are up to 0.5 m"),
    (
        change("cameras", 0, "distance", to=9.0),
        "cameras: right is 8.9. m from the middle of the workspace; allowed",
    ),
    (change("cameras", 0, "polar", to=89.0), "cameras: right sees .* from 1.0 degrees above its plane, as a line; all"),
    (
        posed(0, position=[-0.455, 0.01, 1.02]),
        "cameras: right is in the arm's base: 10 mm beside its axis and 47 m",
    ),
    (posed(0, position=[0.2, 0.1, 1.0]), "cameras: right is in the workspace, where the hand grasps; expected is outs"),
    (posed(0, **ON_WRIST, looks=[LOOK | {"polar": 20.0, "distance": 0.05}]), "cameras: right 1 is in the workspace"),
    (change("gripper", "speed", to=[30.0, 250.0]), "speed: 250 m/s; allowed are 2 at most, are these millimetres per"),
    (change("gripper", "force", to="125 N"), r"gripper.force: expected a list, as in \[1, 2\] \(got '125 N'\)"),
    (change("gripper", "fingers", to=3), "gripper.fingers: Extra inputs are not permitted; allowed: "),
    (change("arm", "lower", to=[0.0] * 5), "lower: expected 6 numbers, one per joint, got 5"),
    (change("arm", "lower", to=[7.0] * 6), "shoulder_pan_joint: lower 7 is not below upper"),
    (change("arm", "upper", to=[360.0] * 6), "shoulder_pan_joint: limits of .* are these degrees"),
    (change("arm", "home", to=[9.0] * 6), "shoulder_pan_joint: home 9 is outside of .* are these degrees"),
    (change("arm", "base_turn", to=1.5708), "arm.base_turn: .*looks like radians; expected are degrees, 90?"),
    (change("arm", "base_turn", to=-3.14), "arm.base_turn: .*looks like radians; expected are degrees, -180?"),
    (change("arm", "base_position", to=[-455.0, 0, 973.0]), "arm.base_position: .*are these millimetres, not metres"),
    (change("arm", "base_position", to=[0.2, 0, 0.973]), "the arm stands in the workspace"),
    (change("arm", "base_position", to=[-0.455, 0, 0.8]), "base_position: the base is 148 mm inside the table"),
    (change("cameras", 0, "cx", to=900.0), r"cx, cy: \(900, 240\) is outside of 640x480 pixels"),
    (change("cameras", 0, "fx", to=4.2), r"fx, fy: \(4.2, 617\) are of no lens"),
    (change("cameras", 0, "name", to="left"), "names must differ, got left, left"),
    (change("cameras", 0, "azimuth", to=80.0), "cameras: right and left look from one place; allowed are 10 mm apart"),
    (change("cameras", 0, to=LENS | {"azimuth": -1.4, "polar": 0.785}), "look like radians; .* degrees, -80 and 45?"),
    (posed(0, mounted="flange", looks=[LOOK | {"azimuth": 0.0, "polar": 0.5}]), "cameras.0.looks.0: .* like radians"),
    (change("cameras", 0, "distance", to=800.0), "cameras.0.distance: .*are these millimetres, not metres"),
    (change("cameras", 0, "azimuth", to=None), "right: expected either azimuth, polar, distance, or position and orie"),
    (change("cameras", 0, "position", to=[0.5, 0.0, 1.5]), "got azimuth, polar, distance, position"),
    (posed(0, orientation=[0.0, 0.0, 0.0, 2.0]), r"orientation \(0.0, 0.0, 0.0, 2.0\) is no unit quaternion"),
    (posed(0, position=[500.0, 0.0, 1500.0]), "over 10 m; are these millimetres, not metres"),
    (posed(0, mounted="flange"), "`mounted` and `looks` go together"),
    (posed(0, position=[0.2, 0.0, 0.5]), "cameras: right is 460 mm below the board's top, at 0.9605 m in the world"),
    (posed(0, **ON_WRIST | {"orientation": [1.0, 0.0, 0.0, 0.0]}, looks=[LOOK]), "right: it looks back along the arm"),
    (posed(0, looks=[LOOK]), "`mounted` and `looks` go together"),
    (posed(0, mounted="flange", looks=[]), "cameras.0.looks"),
    (posed(0, mounted="flange", looks=[LOOK | {"polar": 95.0}]), "cameras.0.looks.0.polar"),
    (posed(0, mounted="flange", looks=[LOOK]), "1.58114 m from the flange that carries it; allowed are 0.5 at most"),
    (posed(0, mounted="tool0", looks=[LOOK]), "cameras.0.mounted"),
    (change("bench", "board_top", to=2.0), "the board reaches from 1.975 to 2 m, the table's top is at 0.948"),
    (change("bench", "board_centre", to=[0.6, 0.0]), "the board hangs over the table's edge in x"),
    (change("workspace", "high", to=[-1.0, 0.3, 1.1]), r"is not below high"),
    (change("workspace", "low", to=[-0.1, -0.3, 0.9]), "its lower end is 60 mm below the board's top"),
    (
        change("workspace", "high", to=[0.6, 0.3, 1.1]),
        "reaches 58 mm beyond the board in x.*allowed are -0.142 to 0.542",
    ),
    (change("workspace", "low", to=[-0.1, -0.42, 0.9605]), "workspace: reaches 100 mm beyond the board in y"),
    (change("workspace", "low", to=float("nan")), "workspace.low"),
]


def written(tmp_path: Path, *changes: Callable[[dict[str, Any]], None], name: str = "ur10_2f140_d415") -> Path:
    about = yaml.safe_load((SHIPPED / f"{name}.yaml").read_text())
    for apply in changes:
        apply(about)
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(about))
    return path


@pytest.mark.parametrize(("wrong", "answer"), IMPOSSIBLE, ids=[answer for _, answer in IMPOSSIBLE])
def test_impossible_numbers_are_refused_by_key(wrong: Callable[[dict], None], answer: str, tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match=answer):
        read_cell(written(tmp_path, wrong))


def test_words_are_the_doctors_own(tmp_path: Path) -> None:
    """Without Pydantic's, and without all of a section where two of its keys were held against each other."""
    swapped = [change("arm", key, to=[value] * 6) for key, value in (("lower", 2.9), ("upper", -2.9))]
    for changes, answer in (
        (swapped, "arm: shoulder_pan_joint: lower 2.9 is not below upper -2.9"),
        (
            [change("workspace", "low", to=[-0.1, -0.42, 0.9605])],
            "workspace: reaches 100 mm beyond the board in y, ",
        ),
        (
            [change("gripper", "force", to=[9.0, 3.0])],
            "gripper.force: expected a smaller and a larger number, n",
        ),
    ):
        with pytest.raises(UserFileError) as error:
            read_cell(written(tmp_path, *changes))
        (said,) = str(error.value).splitlines()[1:]
        assert said.startswith(f"  {answer}") and "Value error" not in said and "{" not in said
    assert said.endswith("(got [9.0, 3.0])"), "one key's value is shown"


@pytest.mark.parametrize("azimuth", [-80.0, 10.0, 150.0])
def test_a_camera_straight_above_is_what_others_come_to(azimuth: float, tmp_path: Path) -> None:
    turned = change("cameras", 0, "azimuth", to=azimuth)
    above, almost = (read_cell(written(tmp_path, turned, change("cameras", 0, "polar", to=p))) for p in (0.0, 0.01))
    T = above.views[0].T_world_cam
    np.testing.assert_allclose(T, almost.views[0].T_world_cam, atol=2e-4)
    np.testing.assert_allclose(T[:3, 3] - above.bench.middle, [0, 0, 0.8], atol=1e-12)
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)


def test_a_camera_that_shows_little_is_a_note(tmp_path: Path) -> None:
    (note,) = examine_cell(written(tmp_path, change("cameras", 0, "distance", to=4.5))).notes
    assert note.startswith("cameras: right shows a centimetre of the workspace's middle in 1.4 pixels, from 4.5")


def test_what_is_wrong_in_a_list_is_said_once(tmp_path: Path) -> None:
    """And not that the list, without what is wrong, is too short."""
    path = written(tmp_path, change("cameras", 0, "width", to=-1), change("cameras", 1, "width", to=-1))
    with pytest.raises(UserFileError) as error:
        read_cell(path)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("2 setting(s) not allowed")
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["cameras.0.width", "cameras.1.width"]
    with pytest.raises(UserFileError, match="cameras: Tuple should have at least 1 item"):
        read_cell(written(tmp_path, change("cameras", to=[])))


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n"], ids=["empty", "list"])
def test_a_file_without_keys_is_told_which_there_are(text: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(UserFileError, match=r"expected keys with values, got .*; keys: name, arm, gripper, cameras"):
        read_cell(tmp_path / "my.yaml")


def test_a_description_survives_its_file(tmp_path: Path) -> None:
    for name in CELLS:
        assert read_cell(written(tmp_path, name=name)) == read_cell(name)
        assert isinstance(read_cell(name), CellDescription)
    with pytest.raises(UserFileError, match=r"kuka: no such cell; expected a .yaml file, or one of panda_hand, ur10"):
        read_cell("kuka")


URDF = """<robot name="small"><link name="base_link"/><link name="tool0"><visual><geometry>
<mesh filename="package://small/meshes/there.stl"/></geometry></visual><visual><geometry>
<mesh filename="package://small/meshes/gone.stl"/></geometry></visual></link>{}</robot>"""
HINGE = """<joint name="{}" type="revolute"><parent link="base_link"/><child link="tool0"/>
<limit lower="-3" upper="3" velocity="3"/></joint>"""


def test_models_that_do_not_fit_have_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "there.stl").write_text("")
    urdf = tmp_path / "small.urdf"
    urdf.write_text(URDF.format("".join(HINGE.format(name) for name in ur10.JOINTS[1:])))
    looked = f"looked for in {tmp_path.resolve()} and the folders above it"
    assert missing_meshes(urdf) == [f"small.urdf: no mesh at package://small/meshes/gone.stl; {looked}"]
    alike = [f"no mesh {i}" for i in range(9)]
    assert _few(alike[:3]) == alike[:3] and _few(alike) == [*alike[:2], "arm.urdf: 7 more meshes are missing"]
    found = examine_cell(written(tmp_path, change("arm", "urdf", to="small.urdf"), change("arm", "flange", to="hand")))
    assert len(found.problems) == 7 + 1 and not len(found.places)
    within = [change("arm", key, to=[value] * 6) for key, value in (("lower", -2.9), ("upper", 2.9))]
    fast = change("arm", "speed", to=[3.0, 3.0, 19.9, 3.0, 3.0, 3.0])
    problems = examine_cell(written(tmp_path, change("arm", "urdf", to="small.urdf"), *within, fast)).problems
    assert [line for line in problems if "_joint: " in line] == [
        "arm: elbow_joint: speed of 19.9 rad/s, faster than the model's 3"
    ]
    said = "\n".join(found.problems)
    assert "arm: 'hand' is no link of small.urdf" in said and "no mesh at package://small/meshes/gone.stl" in said
    assert "arm: 'shoulder_pan_joint' is no hinge of small.urdf; hinges: shoulder_lift_joint" in said
    assert "arm: wrist_1_joint: limits of -6.283 to 6.283 rad, wider than the model's -3 to 3" in said
    gone = examine_cell(written(tmp_path, change("arm", "urdf", to="none.urdf")))
    (problem,) = gone.problems
    assert problem.startswith("arm: urdf: none.urdf: no such file; expected a path") and "pybullet_data:PATH" in problem
    several = change("arm", "joints", to=["joint_1", "joint_2", *ur10.JOINTS[2:]])
    lines = examine_cell(written(tmp_path, several, change("arm", "urdf", to="small.urdf"))).problems
    assert lines[0].startswith("arm: 'joint_1', 'joint_2' are no hinges of small.urdf; hinges: shoulder_lift_joint, ")


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda text: "<robot><include/></robot>", "own.urdf: no link and no joint in it, so it is no URDF; a .xacro "),
        (lambda text: text.replace("0 0 0.333", "0 0 333"), "joint panda_joint1 is 333 m .* are these millimetres"),
        (
            lambda text: text.replace("<limit", "<limits", 1).replace("</limit>", "</limits>", 1),
            "own.urdf: joint panda_joint1: no <limit>; expected lower, upper, effort and velocity",
        ),
    ],
)
def test_models_that_are_no_arms_are_named(edit: Callable[[str], str], problem: str, tmp_path: Path) -> None:
    source = urdf_path(read_cell("panda_hand").arm.urdf, SHIPPED).read_text()
    (tmp_path / "own.urdf").write_text(edit(source))
    said = examine_cell(written(tmp_path, change("arm", "urdf", to="own.urdf"), name="panda_hand")).problems
    assert re.search(problem, "\n".join(said)), said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no", "small.urdf: not XML that can be read (syntax error"),
        ('<?xml version="1.0" encoding="none"?><robot/>', "small.urdf: not XML that can be read (unknown encoding"),
        (
            URDF.format(HINGE.format("wrist_1_joint").replace('"3"', '"up"')),
            "joint wrist_1_joint: its limits are no num",
        ),
        (
            URDF.format(HINGE.format("wrist_1_joint").replace('"3"', '"nan"')),
            "joint wrist_1_joint: its limits are no num",
        ),
    ],
)
def test_a_model_that_is_none_is_a_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "small.urdf").write_text(text)
    found = examine_cell(written(tmp_path, change("arm", "urdf", to="small.urdf")))
    assert any(problem in line for line in found.problems) and not len(found.places)


def test_a_model_that_pinocchio_cannot_read_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pinocchio")
    (tmp_path / "small.urdf").write_text("<robot/>")
    with pytest.raises(ValueError, match=r"small.urdf: no model of an arm"):
        kinematics_of(read_cell("panda_hand").arm, tmp_path / "small.urdf")


def test_a_workspace_out_of_reach_and_blind_cameras_are_said(tmp_path: Path) -> None:
    far = change("arm", "base_position", to=[-1.2, 0.0, 0.973])
    blind = change("cameras", 0, "distance", to=0.2)
    found = examine_cell(written(tmp_path, far, blind))
    assert any("of it are out of the arm's reach, first at" in line for line in found.problems)
    assert any("cameras: right sees" in line for line in found.problems)


def test_what_the_simulator_would_refuse_is_said(tmp_path: Path) -> None:
    small = change("workspace", to={"low": [0.1, -0.1, 0.9605], "high": [0.3, 0.1, 1.0655]})
    one = change("cameras", to=[LENS | LOOK | {"distance": 0.8}])
    assert examine_cell(written(tmp_path, one, small)).problems == [
        "views: 2 asked; the cameras of UR10 with 2F-140 and D415 have 1",
        "UR10 with 2F-140 and D415: workspace: 0.2 by 0.2 m; the tasks' scenes need 0.26 m each way",
    ]
    assert [simulator_problems(read_cell(name)) for name in CELLS] == [[]] * 3
    (weak,) = simulator_problems(read_cell(written(tmp_path, change("gripper", "force", to=[0.01, 0.125]))))
    assert weak.startswith("gripper: force: 0.01 to 0.125 N; the simulator presses with ")


def test_wide_and_several_lenses_are_said_and_simulated(tmp_path: Path) -> None:
    assert lens_notes(read_cell("panda_hand")) == []
    wide = {"width": 1280, "height": 720, "fx": 912.0, "fy": 912.0, "cx": 640.0, "cy": 360.0}
    lens = [change("cameras", 1, key, to=value) for key, value in wide.items()]
    cell = read_cell(written(tmp_path, *lens, name="panda_hand"))
    squeezed, differ = lens_notes(cell)
    assert "left: pictures of 1280x720 are squeezed to the profiles' 4:3" in squeezed
    assert "(at 640x480: fx 456, fy 608)" in squeezed and "their lenses differ" in differ
    pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    observer = Observer(description=CellConfig(description=cell).description, width=64, height=48)
    assert [(k.fx, k.fy) for k in observer.lenses] == [pytest.approx((61.7, 61.7)), pytest.approx((45.6, 60.8))]
    with pytest.raises(ValueError, match="the views have several lenses, and one is needed here"):
        _ = observer.intrinsics


def test_random_views_are_through_the_lenses_of_the_cell(tmp_path: Path) -> None:
    """Each through one of them, by lot; where all are one, nothing is drawn, and what is drawn later is as before."""
    rng = np.random.default_rng(0)
    assert PAPERS.sampled_lenses(rng, 3, 64, 48) == (PAPERS.lens(64, 48),) * 3
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
    pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
    lens = [change("cameras", 1, key, to=900.0) for key in ("fx", "fy")]
    model = CellConfig(description=read_cell(written(tmp_path, *lens, name="panda_hand"))).model
    one, other = model.lenses(2, 64, 48)
    drawn = model.sampled_lenses(rng, 200, 64, 48)
    assert set(drawn) == {one, other} and 70 < drawn.count(one) < 130
    assert drawn[:9] == model.sampled_lenses(np.random.default_rng(0), 9, 64, 48)
    config = DataConfig(train_scenes=1, validation_scenes=1, views=6, policy_views=2, width=64, height=48)
    for viewpoints, fixed in (("fixed", 2), ("random", 0)):
        asked = config.model_copy(update={"policy_viewpoints": viewpoints})
        Ts_world_cam, lenses = _cameras(asked, model, np.random.default_rng(1))
        assert len(Ts_world_cam) == len(lenses) == 6 and lenses[:fixed] == (one, other)[:fixed]
        np.testing.assert_array_equal(Ts_world_cam[:fixed], model.fixed_views(2)[:fixed])
        np.testing.assert_array_equal(Ts_world_cam[fixed:], model.sampled_views(np.random.default_rng(1), 6 - fixed))


def test_a_camera_with_a_pose_looks_from_there(tmp_path: Path) -> None:
    """The same views, said in another way; and a file that says nothing of poses is as it was."""
    papers = read_cell("ur10_2f140_d415")
    poses = [pose_vector(view.T_world_cam) for view in papers.views]
    told = [posed(i, position=pose[:3], orientation=pose[3:]) for i, pose in enumerate(poses)]
    found = examine_cell(written(tmp_path, *told))
    assert found.problems == []
    for ours, theirs in zip(found.cell.views, papers.views, strict=True):
        np.testing.assert_allclose(ours.T_world_cam, theirs.T_world_cam, atol=1e-12)
        assert ours.name == theirs.name and ours.camera.T_carrier_cam is not None
    assert set(papers.model_dump()["cameras"][0]) == {"name", "width", "height", "fx", "fy", "cx", "cy", *LOOK}
    with pytest.raises(ValueError, match="right: it has no pose, it looks at the board's middle"):
        _ = papers.cameras[0].T_carrier_cam
    at_the_ceiling = examine_cell(written(tmp_path, posed(0))).problems
    assert at_the_ceiling == ["cameras: right sees 0% of the middle of the workspace, expected all"]
    above = {"position": [0.2, 0.0, 1.76], "orientation": [0.0, 0.0, 0.0, 1.0]}
    (problem,) = examine_cell(written(tmp_path, posed(0, **above))).problems
    assert problem.endswith("; its axes look like OpenGL's, expected are x right, y down, z ahead")
    x, y, z, w = poses[0][3:]
    (problem,) = examine_cell(written(tmp_path, posed(0, position=poses[0][:3], orientation=[w, x, y, z]))).problems
    assert problem.endswith("; its quaternion looks like w, x, y, z, expected is x, y, z, w")


def test_a_camera_on_the_flange_has_a_view_for_each_look(tmp_path: Path) -> None:
    looks = [LOOK, LOOK | {"azimuth": -80.0}, LOOK | {"azimuth": 0.0, "polar": 20.0}]
    picture = tmp_path / "cell.png"
    path = written(tmp_path, posed(0, **ON_WRIST, looks=looks))
    assert main(["doctor", "--cell", str(path), "--picture", str(picture)]) == 0 and picture.is_file()
    found = examine_cell(path)
    assert found.problems == []
    assert [view.name for view in found.cell.views] == ["right 1", "right 2", "right 3", "left"]
    observer = Observer(description=found.cell, views=3, width=64, height=48)
    np.testing.assert_array_equal(observer.Ts_world_cam, [view.T_world_cam for view in found.cell.views[:3]])
    far = [LOOK | {"distance": 2.5}, LOOK]
    problems = examine_cell(written(tmp_path, posed(0, **ON_WRIST, looks=far))).problems
    assert len(problems) == 1
    assert problems[0].startswith("cameras: the arm cannot bring right 1 to where it is to look from; another azimuth")


def test_a_picture_replaces_a_picture_of_before_alone(tmp_path: Path, root: Path) -> None:
    """Not the picture that another program drew, nor a published figure, which has the same Software."""
    picture, found = tmp_path / "new" / "cell.PNG", examine_cell("ur10_2f140_d415")
    for _ in range(2):
        assert draw_cell(found, picture) == picture
    with Image.open(picture) as drawn:
        assert {key: drawn.info[key] for key in MARK} == MARK
    empty = tmp_path / "empty.png"
    empty.touch()
    check_picture(empty)
    Figure().savefig(tmp_path / "matplotlib.png")
    (tmp_path / "text.png").write_text("mine")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:20])
    (tmp_path / "folder.png").mkdir()
    published = tmp_path / "published.png"
    published.write_bytes(next((root / "figures").glob("*.png")).read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png") if path.is_file()}
    for name in ("matplotlib.png", "text.png", "half.png", "published.png"):
        with pytest.raises(ValueError, match=f"{name}: is there, and is no picture of before; expected the path of an"):
            draw_cell(found, tmp_path / name)
    with pytest.raises(ValueError, match=r"folder.png: is a folder; expected a file"):
        check_picture(tmp_path / "folder.png")
    for name in ("mycell.yaml", "cell.jpg", "cell"):
        with pytest.raises(ValueError, match=r"expected a name that ends in \.png"):
            draw_cell(found, tmp_path / name)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png") if path.is_file()} == before


def test_the_doctor_looks_at_a_cell_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "cell.png"
    assert main(["doctor", "--cell", "ur10_2f140_d415", "--picture", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "up to 140 mm between its fingers" in out and "reach: 100% of hands" in out
    assert picture.stat().st_size > 20_000
    bad = written(tmp_path, change("arm", "urdf", to="none.urdf"))
    assert main(["doctor", "--cell", str(bad), "--picture", str(picture)]) == 2
    assert "!  arm: urdf: none.urdf: no such file; expected a path from the cell's file on" in capsys.readouterr().out
    impossible = written(tmp_path, change("gripper", "opening", to=-0.1), change("arm", "home", to=[9.0] * 6))
    assert main(["doctor", "--cell", str(impossible)]) == 2
    err = capsys.readouterr().err
    assert "gripper.opening" in err and "home 9 is outside" in err and err.count("\n") == 1
