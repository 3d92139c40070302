"""Described cells in the simulator: arm and hand are those of the description, and what cannot be is one line."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pybullet as bullet
import pytest
import torch
import trimesh
import yaml
from sim_scenes import box, scene_of, top_down

from dgrasp.cameras import Views, look_at
from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import SHIPPED, read_cell
from dgrasp.cell.examined import Examined
from dgrasp.cell.following import Command
from dgrasp.cell.model import PAPERS, model_of
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import from_bullet, inverse, pose_vector, transform
from dgrasp.cell.urdf import urdf_path
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.cli.main import main
from dgrasp.files import UserFileError
from dgrasp.sim.at_home import hold_home
from dgrasp.sim.cell import Cell
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.oracle import oracle, oracle_grasps, usable_lines
from dgrasp.sim.scene import Scene, SceneObject, scene_from
from dgrasp.sim.tasks.paper import task
from dgrasp.sim.tasks.prisms import BEAM

pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
OTHERS = ("panda_hand", "ur5_2f85")


@pytest.fixture(scope="module", params=OTHERS)
def cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    with Cell(CellConfig(description=request.param)) as made:
        yield made


def panda(folder: Path, section: str, changes: dict[Any, Any]) -> Path:
    """The shipped Panda's file with some values of a section changed."""
    about = yaml.safe_load((SHIPPED / "panda_hand.yaml").read_text())
    for key, value in changes.items():
        about[section][key] = about[section][key] | value if isinstance(value, dict) else value
    (folder / "mine.yaml").write_text(yaml.safe_dump(about))
    return folder / "mine.yaml"


def at_home(source: str | Path) -> Examined:
    found = Examined(read_cell(source))
    hold_home(found, source)
    return found


def empty(cell: Cell) -> Scene:
    return Scene((), cell=cell.config.description)


def test_bullets_robot_is_where_the_description_says(cell: Cell) -> None:
    cell.reset(empty(cell))
    robot, arm, client = cell.world.robot, cell.config.model.arm, cell.client
    hand = next(i for i, name in robot.links.items() if name == "gripper_link")
    rng = np.random.default_rng(0)
    for q in rng.uniform(0.9 * arm.lower, 0.9 * arm.upper, (20, len(arm.joints))):
        robot.place(np.clip(q, arm.lower, arm.upper))
        T_world_tcp = arm.tcp_pose(np.clip(q, arm.lower, arm.upper))
        state = bullet.getLinkState(robot.body, hand, computeForwardKinematics=True, physicsClientId=client)
        T_world_hand = from_bullet(state[4], state[5])
        np.testing.assert_allclose(T_world_hand[:3, :3], T_world_tcp[:3, :3], atol=1e-5)
        ahead = cell.config.description.gripper.tcp_ahead
        np.testing.assert_allclose(
            (T_world_hand @ transform(None, (0, 0, ahead)))[:3, 3], T_world_tcp[:3, 3], atol=1e-5
        )


def test_the_fingers_open_and_close_as_wide_and_as_low_as_described(cell: Cell) -> None:
    cell.reset(empty(cell))
    world, robot, hand = cell.world, cell.world.robot, cell.config.model.hand
    assert robot.gap() == pytest.approx(hand.opening, abs=1e-6)
    for _ in range(cell.config.frequency):
        robot.close_hand(cell.config.grip_force)
        world.step()
    assert robot.close_hand(cell.config.grip_force) and robot.gap() < 0.002
    tips = [bullet.getAABB(robot.body, link, physicsClientId=cell.client) for link in robot.fingers.values()]
    height = robot.model.tcp_pose(robot.model.home)[2, 3]
    assert height - min(low[2] for low, _ in tips) == pytest.approx(hand.tip_ahead, abs=0.003)


def test_each_finger_presses_with_the_set_force(cell: Cell) -> None:
    measured = []
    cell.reset(replace(scene_of(box(size=(0.04, 0.05, 0.045))), cell=cell.config.description))

    def watch(phase: str) -> None:
        if phase == "hold":
            robot, body = cell.world.robot, cell.world.objects["box"]
            for finger in robot.fingers.values():
                contacts = bullet.getContactPoints(robot.body, body, linkIndexA=finger, physicsClientId=cell.client)
                measured.append(sum(contact[9] for contact in contacts))

    assert cell.execute(top_down(0.2, 0.0, 0.025), watch=watch).outcome is Outcome.SUCCESS
    assert np.median(measured) == pytest.approx(cell.config.grip_force, rel=0.05)


def test_the_oracles_grasps_lift(cell: Cell) -> None:
    """Two objects of four scenes, approached straight."""
    lifted = []
    for k in range(4):
        scene, rng = task("simple", cell.config.description).scene("train", k, seed=3), np.random.default_rng(k)
        assert max(min(o.shape.extents[:2]) for o in scene.objects) < cell.config.model.hand.opening
        for _ in range(2):
            cell.reset(scene)
            lifted.append(cell.execute(oracle(scene, rng)[0]).success)
    assert sum(lifted) >= 7, "of 8"


@pytest.mark.parametrize(("width", "height", "turn"), [(0.029, 0.033, 0.5), (0.029, 0.033, 1.1), (0.035, 0.030, 0.5)])
def test_light_cylinders_do_not_spring_out_of_the_hand(width: float, height: float, turn: float, cell: Cell) -> None:
    """Of 10 to 15 g: with Bullet's usual 50 iterations of the solver they did, out of either hand."""
    T = transform(None, (0.2, 0.0, BOARD_TOP + height / 2))
    mass = 500 * np.pi * width**2 / 4 * height
    cylinder = SceneObject("cylinder", Prism(0, width, width, height), (0.8, 0.2, 0.2), mass, 0.5, T)
    cell.reset(Scene((cylinder,), cell=cell.config.description))
    assert cell.execute(top_down(0.2, 0.0, 0.017, turn)).outcome is Outcome.SUCCESS
    assert cell.config.solver_iterations == 200 and CellConfig().solver_iterations == 50


def test_a_camera_on_the_flange_is_where_the_flange_is(cell: Cell) -> None:
    cell.reset(empty(cell))
    with pytest.raises(ValueError, match="the cell's cameras stand; there is none on its wrist"):
        cell.wrist_viewpoint()
    carried = cell.config.description.cameras[0].model_dump() | dict.fromkeys(("azimuth", "polar", "distance"))
    carried |= {"position": (0.0, -0.07, 0.03), "orientation": (0.0, 0.0, 0.0, 1.0), "mounted": "flange"}
    looks = [{"azimuth": azimuth, "polar": 30.0, "distance": 0.5} for azimuth in (0.0, 40.0)]
    about = cell.config.description.model_dump() | {"cameras": [carried | {"looks": looks}]}
    with Cell(CellConfig(description=about)) as other:
        other.reset(empty(other))
        T_flange_cam = inverse(other.world.robot.flange_pose()) @ other.wrist_viewpoint()
        np.testing.assert_allclose(T_flange_cam, transform(None, (0.0, -0.07, 0.03)), atol=1e-12)
        assert other.config.model.most_views == 2


def test_scenes_and_views_are_the_cells(cell: Cell) -> None:
    described, model = cell.config.description, cell.config.model
    for name in ("simple", "clutter"):
        scene = task(name, described).scene("test", 0, seed=1)
        assert scene_from(scene.describe()).cell == described
        assert model.inside(np.stack([o.T_world_object[:3, 3] for o in scene.objects])).all()
        assert all(model.inside(T[:3, 3]) for T in oracle_grasps(scene))
    drawn = [o for k in range(5) for o in task("simple", described).scene("test", k, seed=1).objects]
    assert all(usable_lines(o, model) for o in drawn), "each of them can be grasped as it stands"
    assert max(min(o.shape.extents[:2]) for o in drawn) <= model.hand.scale * BEAM
    cell.reset(scene)
    observer = Observer(description=described, width=64, height=48)
    views = cell.observe(observer.Ts_world_cam, observer.intrinsics)
    assert len(np.unique(views.images.reshape(-1, 3), axis=0)) > 5
    np.testing.assert_array_equal(views.Ts_world_cam, [view.T_world_cam for view in described.views])
    wider = replace(observer.intrinsics, fx=40.0, fy=40.0)
    zoomed = cell.observe(observer.Ts_world_cam, [observer.intrinsics, wider])
    np.testing.assert_array_equal(zoomed.images[0], views.images[0])
    assert zoomed.K[0, 0, 0] == views.K[0, 0, 0] and zoomed.K[1, 0, 0] == 40.0
    assert not np.array_equal(zoomed.images[1], views.images[1]), "and it is seen through its own lens"
    with pytest.raises(ValueError, match=r"intrinsics: 1 lenses for 2 views; expected one, or one per view"):
        cell.observe(observer.Ts_world_cam, [wider])
    with pytest.raises(ValueError, match=r"views: 3 asked; the cameras of .* have 2"):
        Observer(description=described, views=3)


def test_poses_out_of_reach_are_an_outcome_that_names_the_arm(cell: Cell) -> None:
    cell.reset(empty(cell))
    T = transform(np.diag([1.0, -1.0, -1.0]), (2.0, 0.0, 1.0))
    trial = cell.execute(T)
    assert trial.outcome is Outcome.UNREACHABLE
    assert trial.reason == f"no joint angles of the {cell.config.model.arm.name} bring the TCP there"


def test_a_scene_of_another_cell_is_refused(cell: Cell) -> None:
    with pytest.raises(ValueError, match="scene: was made for the cell 'UR10 with 2F-140', and this one is"):
        cell.reset(task("simple").scene("test", 0))


def test_trials_repeat_bit_for_bit() -> None:
    config = CellConfig(description="panda_hand")
    scene = task("simple", config.description).scene("train", 1, seed=3)
    T = oracle(scene, np.random.default_rng(1))[0]
    trials = []
    for _ in range(2):
        with Cell(config) as cell:
            cell.reset(scene)
            trials.append(cell.execute(T))
    first, second = trials
    assert (first.outcome, first.simulated_seconds) == (second.outcome, second.simulated_seconds)
    for o, p in zip(first.scene_after.objects, second.scene_after.objects, strict=True):
        np.testing.assert_array_equal(o.T_world_object, p.T_world_object)


def test_the_papers_cell_is_the_built_in_one_however_it_is_named() -> None:
    described = CellConfig(description="ur10_2f140_d415")
    assert described == CellConfig() and described.model is PAPERS and described.digest() == CellConfig().digest()
    assert Scene(()).model is PAPERS and task("simple") is task("simple", None)
    assert PAPERS.hand.scale == 1.0 and "description" not in CellConfig().model_dump()


def described(folder: Path, urdf: str = "", **changes: Any) -> CellConfig:
    about = yaml.safe_load((SHIPPED / "ur5_2f85.yaml").read_text())
    about["arm"] |= {"urdf": urdf or about["arm"]["urdf"], **changes.pop("arm", {})}
    (folder / "mine.yaml").write_text(yaml.safe_dump(about | changes))
    return CellConfig(description=folder / "mine.yaml")


def test_a_model_of_ones_own_is_kept_by_path_and_digest(tmp_path: Path) -> None:
    source = urdf_path(read_cell("ur5_2f85").arm.urdf, SHIPPED)
    text = source.read_text().replace("package://", f"{source.parents[3].parent}/")
    own = tmp_path / "own.urdf"
    own.write_text(text)
    config = described(tmp_path, "own.urdf")
    assert config.description is not None and config.description.arm.urdf == str(own)
    model_of(config.description)
    own.write_text(text + "<!-- changed -->")
    again = CellConfig.model_validate(config.model_dump(mode="json") | {"grip_force": 30.0})
    with Cell(again) as cell, pytest.raises(UserFileError, match="is not the file it was when the cell was described"):
        cell.reset(Scene((), cell=again.description))


def test_urdfs_that_lack_something_are_one_line(tmp_path: Path) -> None:
    source = urdf_path(read_cell("ur5_2f85").arm.urdf, SHIPPED)
    shutil.copy(source, tmp_path / "gone.urdf")
    cut = ET.parse(source)
    for mesh in cut.getroot().iter("mesh"):
        mesh.set("filename", "none.stl")
    cut.write(tmp_path / "gone.urdf")
    with pytest.raises(UserFileError, match=rf"^gone.urdf: no mesh at none.stl; looked for at {tmp_path}/none.stl$"):
        model_of(described(tmp_path, "gone.urdf").description)
    with pytest.raises(ValueError, match=r"arm: urdf: nowhere.urdf: no such file"):
        described(tmp_path, "nowhere.urdf")
    for name in ("shoulder_lift_joint", "wrist_2_joint"):
        for joint in cut.getroot().findall("joint"):
            if joint.get("name") == name:
                cut.getroot().remove(joint)
    cut.write(tmp_path / "gone.urdf")
    with pytest.raises(UserFileError, match=r"'shoulder_lift_joint', 'wrist_2_joint' are no hinges of gone.urdf"):
        model_of(described(tmp_path, "gone.urdf").description)


@pytest.mark.parametrize(
    ("mesh", "scale", "answer"),
    [
        ("solid link\nendsolid", "1 1 1", r"link.stl: not a mesh that can be read \("),
        (None, "100 100 100", r"link.stl: 10 m large, expected 3 m or less; are these millimetres\? Then the URDF"),
    ],
)
def test_meshes_that_are_none_or_in_millimetres_are_named(
    mesh: str | None, scale: str, answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if mesh is None:
        trimesh.creation.box((0.1, 0.05, 0.05)).export(tmp_path / "link.stl")
    else:
        (tmp_path / "link.stl").write_text(mesh)
    model = ET.parse(urdf_path(read_cell("ur5_2f85").arm.urdf, SHIPPED))
    for part in model.getroot().iter("mesh"):
        part.set("filename", "link.stl")
        part.set("scale", scale)
    model.write(tmp_path / "own.urdf")
    described(tmp_path, "own.urdf")
    picture = tmp_path / "cell.png"
    assert main(["doctor", "--cell", str(tmp_path / "mine.yaml"), "--picture", str(picture)]) == 2
    out = capsys.readouterr().out
    assert re.search(rf"!  arm: .*{answer}", out) and "ok  reach: " in out and picture.is_file()


def test_a_workspace_too_small_for_the_tasks_is_said(tmp_path: Path) -> None:
    config = described(tmp_path, workspace={"low": [0.1, -0.1, 0.9605], "high": [0.3, 0.1, 1.06]})
    with pytest.raises(ValueError, match=r"workspace: 0.2 by 0.2 m; the tasks' scenes need 0.26 m each way"):
        task("simple", config.description)


def test_a_home_that_reaches_into_the_table_is_said(tmp_path: Path) -> None:
    described(tmp_path, arm={"home": [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]})
    problem = at_home(tmp_path / "mine.yaml").problems[0]
    assert problem.startswith("arm: home: the upper arm hits the mount; expected is a posture")
    assert at_home("ur5_2f85").problems == []


def test_an_arm_at_rest_in_the_pictures_is_said(tmp_path: Path) -> None:
    """A share of each picture; in front of the workspace a problem, beside it a note, out of sight neither."""
    shipped = at_home("panda_hand")
    assert shipped.problems == shipped.notes == []
    assert [line for line in shipped.lines if "of right, and none of the workspace" in line]
    over = at_home(panda(tmp_path, "arm", {"home": [0.0, 0.3, 0.0, -2.0, 0.0, 2.3, 0.78]})).problems
    assert len(over) == 2 and all(
        re.match(r"arm: home: the arm at home covers [34]\.\d% of the picture of \w+, and in it 5\.\d% of", line)
        for line in over
    )
    beside = at_home(panda(tmp_path, "arm", {"home": [0.0, 1.2, 0.0, -0.5, 0.0, 1.5, 0.78]}))
    assert beside.problems == [] and len(beside.notes) == 2
    assert re.match(r"arm: home: the arm at home covers 7\.\d% of the picture of right, and none of", beside.notes[0])


def test_a_camera_inside_the_arm_at_rest_is_said(tmp_path: Path) -> None:
    """Above its base, where the description alone does not know the arm."""
    T = look_at(torch.tensor([-0.38, 0.0, 1.25]).double(), torch.tensor([0.2, 0.01, 0.96]).double()).numpy()
    pose = pose_vector(T)
    sphere = dict.fromkeys(("azimuth", "polar", "distance"))
    inside = panda(
        tmp_path,
        "cameras",
        {0: {"position": [float(v) for v in pose[:3]], "orientation": [float(v) for v in pose[3:]]} | sphere},
    )
    (problem,) = at_home(inside).problems
    assert problem.startswith("cameras: right is in the arm at home, or nearer to it than 30 mm")


def test_a_described_arm_is_led_in_closed_loop(cell: Cell) -> None:
    description = cell.config.description
    scene = task("simple", description).scene("train", 1, seed=3)
    T = oracle(scene, np.random.default_rng(1))[0]

    def pilot(views: Views, T_world_tcp: np.ndarray) -> Command:
        return Command(T, close=bool(np.linalg.norm(T_world_tcp[:3, 3] - T[:3, 3]) < 1e-3))

    with SteeredSimulation(cell.config, Observer(description=description, width=64, height=48)) as steered:
        steered.show(scene)
        made = steered.follow(T, pilot)
    assert made.outcome is Outcome.SUCCESS and len(steered.led) > 3


@pytest.mark.parametrize("stands", [True, False], ids=["and one that stands", "alone"])
def test_a_camera_on_the_wrist_looks_from_where_the_arm_is(stands: bool) -> None:
    """One view of it on the way, whatever its looks before; the one that stands looks past the arm, as ever."""
    papers = read_cell("ur10_2f140_d415")
    lens = {name: getattr(papers.cameras[0], name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    wrist = {"name": "wrist", **lens, "position": (0.0, 0.10, 0.02), "orientation": (0.0, 0.0, 0.0, 1.0)}
    wrist |= {"mounted": "flange", "looks": [{"azimuth": a, "polar": 45.0, "distance": 0.8} for a in (-80.0, 80.0)]}
    if stands:
        wrist["looks"] = wrist["looks"][:1]
    cameras = [wrist, papers.cameras[1].model_dump()] if stands else [wrist]
    config = CellConfig(description=papers.model_dump() | {"name": "on the wrist", "cameras": cameras})
    scene = replace(scene_of(box(size=(0.05, 0.05, 0.07))), cell=config.description)
    T, seen = top_down(0.2, 0.0, 0.035), []

    def pilot(views: Views, T_world_tcp: np.ndarray) -> Command:
        seen.append((views, T_world_tcp))
        return Command(T, close=bool(np.linalg.norm(T_world_tcp[:3, 3] - T[:3, 3]) < 1e-3))

    with SteeredSimulation(config, Observer(description=config.description, width=64, height=48)) as steered:
        assert steered.standing_views == int(stands)
        steered.show(scene)
        before = steered.observe()
        made = steered.follow(T, pilot)
    assert len(before) == 2 and made.outcome is Outcome.SUCCESS
    T_tcp_cam = inverse(config.model.hand.T_flange_tcp) @ config.description.cameras[0].T_carrier_cam
    for views, T_world_tcp in seen:
        assert len(views) == 1 + stands
        half = T_world_tcp @ transform(np.diag([-1.0, -1.0, 1.0]))
        at = [pose @ T_tcp_cam for pose in (T_world_tcp, half)]  # the arm may take the same grasp turned by half
        assert min(np.abs(views.Ts_world_cam[-1] - pose).max() for pose in at) < 1e-6
        if stands:
            np.testing.assert_array_equal(views.Ts_world_cam[0], before.Ts_world_cam[1])
            assert (np.abs(views.images[0].astype(int) - before.images[1]).max(-1) > 8).mean() < 0.01
    first, last = seen[0][0].images[-1].astype(int), seen[-1][0].images[-1]
    assert (np.abs(first - last).max(-1) > 8).mean() > 0.02, "and it comes nearer"
