"""The slope explorer without a browser: known landscapes on slices, what panels draw, and controls that act."""

import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
import torch
from small_explorer import NERF, VALUE, small_explorer

from dgrasp.nerf.model import build_nerf
from dgrasp.poses import make_pose, uniform_rotations
from dgrasp.report.explorer.canvas import Canvas
from dgrasp.report.explorer.data import candidate_paths, slice_landscape, slopes_on_path
from dgrasp.report.explorer.explorer import Explorer, with_optimizer
from dgrasp.report.explorer.pose_slice import PoseSlice, coordinates_of, poses_at
from dgrasp.report.explorer.widget import ExplorerWidget
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.training import build_value


@pytest.fixture(scope="module")
def explorer():
    return small_explorer()


def grasp():
    R = uniform_rotations(1, torch.Generator().manual_seed(3), dtype=torch.float64)[0]
    return make_pose(R, torch.tensor([0.2, 0.1, 1.0], dtype=torch.float64))


def test_coordinates_and_poses_are_inverse():
    c = 0.4 * torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(coordinates_of(grasp(), poses_at(grasp(), c)), c, atol=1e-9)


@pytest.mark.parametrize("axes", [("x", "about z"), ("z", "y"), ("about x", "about y")])
def test_landscape_of_a_quadratic_is_known(axes):
    """-|c|^2 has its summit at the grasp, and per half width the slope -2 w^2 share."""
    place = PoseSlice.around(axes)
    shown = slice_landscape(lambda T: -coordinates_of(grasp(), T).square().sum(-1), grasp(), place, 5)
    w, s = np.array(place.half_widths), shown.shares
    across, up = np.meshgrid(s, s)
    assert np.allclose(shown.scores, -((w[0] * across) ** 2 + (w[1] * up) ** 2), atol=1e-7)
    inner = (slice(1, -1), slice(1, -1))
    assert np.allclose(
        shown.slopes[inner], np.stack([-2 * w[0] ** 2 * across, -2 * w[1] ** 2 * up], -1)[inner], atol=1e-5
    )


def test_cosine_is_one_when_the_landscape_rises_along_the_demonstration():
    direction = torch.tensor([0.03, 0.01, -0.04, 0.2, -0.1, 0.3], dtype=torch.float64)
    Ts = poses_at(grasp(), torch.linspace(-1, 0, 8, dtype=torch.float64)[:, None] * direction)
    rise = slopes_on_path(lambda T: coordinates_of(grasp(), T) @ direction, grasp(), Ts)
    fall = slopes_on_path(lambda T: -coordinates_of(grasp(), T) @ direction, grasp(), Ts)
    assert np.allclose(rise.cosines, 1, atol=1e-4) and np.allclose(fall.cosines, -1, atol=1e-4)


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def test_a_kept_canvas_shows_what_a_fresh_one_shows(explorer):
    start, canvas = explorer.start, Canvas()
    for change in (
        {"step": 1},
        {"scene": 1, "pose_slice": PoseSlice.around(("z", "about y"))},
        {"models": ("base",) * 2},
    ):
        kept = explorer.picture(replace(start, **change), canvas)
        assert kept == explorer.picture(replace(start, **change), Canvas()), change


def test_the_static_twin_shows_what_the_widget_shows(explorer):
    twin = explorer.figure(explorer.start)
    twin.canvas.draw()
    whole = np.asarray(twin.canvas.buffer_rgba())[..., :3] / 255
    apart = np.abs(whole - pixels(explorer.picture(explorer.start, Canvas()))).max(axis=-1) > 0.02
    assert apart.sum() < 50  # of 568,400 pixels: where the line of the step crosses the frame, which of them is on top


def test_only_panels_that_changed_are_drawn_again(explorer, monkeypatch):
    drawn, canvas, start = [], Canvas(), replace(explorer.start, step=0)
    still = Canvas._draw_still
    monkeypatch.setattr(
        Canvas, "_draw_still", lambda self, panel, *rest: (drawn.append(panel.place), still(self, panel, *rest))
    )
    explorer.picture(start, canvas)
    assert sorted(drawn) == ["camera 0", "camera 1", "keys", "model 0", "model 1", "note", "values"]
    for change, expected in (
        ({"step": 1}, []),
        ({"start": (0.5, 0.5)}, ["camera 0", "camera 1", "values"]),
        ({"models": ("base", "base")}, ["camera 0", "camera 1", "keys", "values"]),
    ):
        drawn.clear()
        explorer.picture(replace(start, **change), canvas)
        assert sorted(drawn) == expected, change


def test_what_the_computation_is_asked_for_again(explorer):
    """Another rate is another path, and neither another landscape nor another encoding of the scene."""
    canvas = Canvas()
    explorer.picture(explorer.start, canvas)
    before = {name: getattr(explorer, name).cache_info().misses for name in ("scene", "landscape", "paths")}
    explorer.picture(with_optimizer(explorer.start, translation_rate=0.033), canvas)
    after = {name: getattr(explorer, name).cache_info().misses for name in before}
    assert after == before | {"paths": before["paths"] + 1}


CHANGES = {
    "scene": 1,
    "right": "base",
    "vertical": "about z",
    "zoom": 2.0,
    "start_horizontal": 0.5,
    "steps": 2,
    "translation_rate": 0.2,
    "rotation_decay": 0.6,
    "schedule": "seq",
    "representation": "6d",
    "step": 1,
    "grid": 17,
    "settings": "dgrasp_6d_seq",
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_control_changes_the_picture(explorer, name):
    widget = ExplorerWidget(explorer)
    before = widget.image.value
    getattr(widget, name).value = CHANGES[name]
    assert widget.image.value != before and "answered" in widget.status.value
    assert np.ptp(pixels(widget.image.value)) > 0.5


def test_an_impossible_choice_is_said_and_the_picture_stays(explorer):
    widget = ExplorerWidget(explorer)
    before = widget.image.value
    widget.vertical.value = "x"
    assert widget.image.value == before and "two different pose axes" in widget.status.value


def test_an_unexpected_failure_is_said_and_the_controls_live_on(explorer, monkeypatch):
    widget = ExplorerWidget(explorer)
    before = widget.image.value
    with monkeypatch.context() as broken:
        broken.setattr(explorer, "picture", lambda *_: 1 / 0)
        widget.zoom.value = 1.5
    assert widget.image.value == before
    assert "unexpected ZeroDivisionError: division by zero" in widget.status.value and "<pre>" in widget.status.value
    widget.zoom.value = 2.0
    assert widget.image.value != before and "answered" in widget.status.value


def test_settings_outside_a_slider_are_not_changed_by_it(explorer):
    odd = OptimizerConfig(steps=70, translation_rate=5e-4, rotation_rate=4.0, translation_decay=0.3)
    other = Explorer(explorer.demonstrations, explorer.values, VALUE.bounds, {**explorer.settings, "odd": odd})
    widget = ExplorerWidget(other)
    widget.settings.value = "odd"
    assert widget.choice.optimizer == odd


def test_bad_input_names_what_is_wrong(explorer):
    with pytest.raises(ValueError, match="about x"):
        PoseSlice.around(("x", "roll"))
    with pytest.raises(ValueError, match="models: base, dgrasp_quat"):
        explorer.panels(replace(explorer.start, models=("base", "dgras")))
    with pytest.raises(IndexError, match="0 to 1"):
        explorer.panels(replace(explorer.start, scene=2))
    with pytest.raises(ValueError, match="start"):
        replace(explorer.start, start=(0.0, 2.0))
    other = build_value(VALUE, build_nerf(NERF, seed=1))
    with pytest.raises(ValueError, match="different Phi"):
        Explorer(explorer.demonstrations, {"a": other, **explorer.values}, VALUE.bounds, explorer.settings)


def test_a_candidate_beyond_the_workspace_starts_on_its_border(explorer):
    T_world_start = grasp().float()
    T_world_start[2, 3] = 2.0
    (path,) = candidate_paths(
        explorer.scene(0), ["base"], grasp().float(), T_world_start, OptimizerConfig(steps=2),
        representation="quat", schedule="sync", bounds=VALUE.bounds,
    )  # fmt: skip
    assert path.Ts_world_tcp[0, 2, 3] == VALUE.bounds[1][2] and T_world_start[2, 3] == 2.0
