"""Pictures: calibrated, clean, and without influence on physics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sim_scenes import box, scene_of

from dgrasp.cameras import Intrinsics, project
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.ur10 import HOME
from dgrasp.cell.viewpoints import AZIMUTH, POLAR, RADIUS, evaluation_viewpoints, sample_viewpoints
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.sim.bodies import add_object
from dgrasp.sim.cell import Cell
from dgrasp.sim.tasks.paper import task


def test_silhouettes_lie_where_the_cameras_project(cell: Cell) -> None:
    """To half a pixel: pixel centres at integer coordinates, for all four edges of every object's silhouette."""
    scene, Ts, K = task("simple").scene(index=1), evaluation_viewpoints(5), Intrinsics.d415(320, 240)
    cell.reset(scene)
    geometry = cell.observe_geometry(Ts, K)
    offsets = []
    for T, labels in zip(Ts, geometry.labels, strict=True):
        for o in scene.objects:
            corners = o.shape.mesh()[0] @ o.T_world_object[:3, :3].T + o.T_world_object[:3, 3]
            uv, _ = project(torch.tensor(K.matrix), torch.tensor(T), torch.tensor(corners))
            low, high = uv.numpy().min(0), uv.numpy().max(0)
            if (low < 2).any() or (high > [317, 237]).any():
                continue
            rows, columns = np.nonzero(labels == geometry.names.index(o.name))
            offsets.append([columns.min() - low[0], rows.min() - low[1], columns.max() - high[0], rows.max() - high[1]])
    offsets = np.array(offsets)
    assert len(offsets) > 10
    assert (offsets[:, :2] > -0.05).all() and (
        offsets[:, 2:] < 0.05
    ).all()  # a pixel is painted if its centre is covered
    np.testing.assert_allclose(offsets.mean(0), [0.5, 0.5, -0.5, -0.5], atol=0.25)


def test_depth_is_metric(cell: Cell) -> None:
    cell.reset(scene_of(box(at=(0.4, 0.2))))
    depth = cell.observe_geometry(evaluation_viewpoints(3), Intrinsics.d415(641, 481)).depth
    np.testing.assert_allclose(depth[:, 240, 320], RADIUS, atol=2e-3)  # the views look at the board's centre


def test_the_workbench_is_drawn_last_and_pictures_do_not_tell(cell: Cell) -> None:
    """The order in which bodies are drawn saves time; a workbench drawn before everything gives the same pixels."""
    scene, Ts = task("dgrasp.sim.tasks.crowded:Printed").scene("train", 1), evaluation_viewpoints(3)
    cell.reset(scene)
    assert min(cell.world.drawn) > max(cell.world.objects.values())
    pictures = cell.observe(Ts).images
    with Cell(cell.config) as first:
        first.reset(scene.with_objects([]))
        for o in scene.objects:
            add_object(first.client, o)
        np.testing.assert_array_equal(first.observe(Ts).images, pictures)


def test_flat_surfaces_have_one_colour(cell: Cell) -> None:
    """No two surfaces coincide: nothing flickers on the board, the table, or a face of an object."""
    cell.reset(task("simple").scene(index=2))
    Ts = sample_viewpoints(np.random.default_rng(0), 12)
    views, geometry = cell.observe(Ts), cell.observe_geometry(Ts)
    for name, most in (("board", 5), ("table", 5)):  # top and four sides
        colours = np.unique(views.images[geometry.labels == geometry.names.index(name)], axis=0)
        assert len(colours) <= most, (name, colours)
    for o in cell.scene.objects:
        colours = np.unique(views.images[geometry.labels == geometry.names.index(o.name)], axis=0)
        assert len(colours) <= len(o.shape.outline) + 1, o.name


def test_the_home_posture_hides_nothing_of_the_workspace(cell: Cell) -> None:
    cell.reset(scene_of())
    x, y, z = np.meshgrid(np.linspace(-0.097, 0.497, 7), np.linspace(-0.275, 0.275, 7), [0.965, 1.06])
    points = torch.tensor(np.stack([x, y, z], -1).reshape(-1, 3))
    K, Ts = Intrinsics.d415(128, 96), evaluation_viewpoints(5)
    geometry = cell.observe_geometry(Ts, K)
    robot = geometry.names.index("robot")
    for T, labels, depth in zip(Ts, geometry.labels, geometry.depth, strict=True):
        uv, distance = project(torch.tensor(K.matrix), torch.tensor(T), points)
        u, v = uv.round().numpy().astype(int).T
        inside = (u >= 0) & (u < 128) & (v >= 0) & (v < 96)
        assert inside.mean() > 0.95  # the picture shows the workspace, but for 3 cm at its edge
        hidden = (labels[v[inside], u[inside]] == robot) & (depth[v[inside], u[inside]] < distance.numpy()[inside])
        assert not hidden.any()
        assert (labels == robot).any() or T[0, 3] < 0.6  # the arm is seen from in front


def test_sampled_viewpoints_keep_the_samplers_limits() -> None:
    Ts = sample_viewpoints(np.random.default_rng(0), 500)
    offset = Ts[:, :3, 3] - BOARD_CENTRE
    np.testing.assert_allclose(np.linalg.norm(offset, axis=1), RADIUS)
    assert np.abs(np.arctan2(offset[:, 1], offset[:, 0])).max() <= AZIMUTH
    polar = np.arccos(offset[:, 2] / RADIUS)
    assert polar.min() >= POLAR[0] and polar.max() <= POLAR[1]
    np.testing.assert_allclose(Ts[:, :3, 2], -offset / RADIUS, atol=1e-9)
    assert np.mean(np.cos(polar)) == pytest.approx(np.mean(np.cos(POLAR)), abs=0.01)  # uniform in the cosine


def test_fixed_views_are_the_first_of_five() -> None:
    np.testing.assert_array_equal(evaluation_viewpoints(5)[:3], evaluation_viewpoints(3))
    np.testing.assert_array_equal(evaluation_viewpoints(5)[3:], evaluation_viewpoints(2))
    with pytest.raises(ValueError, match="sets: 2, 3, 5"):
        evaluation_viewpoints(4)


def test_observations_have_the_asked_size_and_refuse_bad_cameras(cell: Cell) -> None:
    cell.reset(scene_of(box()))
    views = cell.observe(evaluation_viewpoints(2), Intrinsics.d415(96, 72))
    assert views.images.shape == (2, 72, 96, 3) and views.images.dtype == np.uint8
    with pytest.raises(ValueError, match=r"expected shape \(views, 4, 4\)"):
        cell.observe(np.eye(4))


def test_geometry_names_everything(cell: Cell) -> None:
    cell.reset(scene_of(box()))
    geometry = cell.observe_geometry(evaluation_viewpoints(2))
    assert set(geometry.names) == {"background", "table", "board", "mount", "box", "robot"}
    assert np.isinf(geometry.depth[geometry.labels == 0]).all()


def test_the_wrist_camera_looks_along_the_gripper(cell: Cell) -> None:
    """From home it sees its own fingertips at the lower or upper edge, and the board beyond."""
    cell.reset(scene_of())
    T = cell.wrist_viewpoint()
    np.testing.assert_allclose(T[:3, 2], tcp_pose(HOME)[:3, 2], atol=1e-6)
    geometry = cell.observe_geometry(T[None])
    seen = {geometry.names[i] for i in np.unique(geometry.labels)}
    assert {"robot", "board"} <= seen
    assert np.nanmin(geometry.depth[geometry.labels == geometry.names.index("robot")]) > 0.05
