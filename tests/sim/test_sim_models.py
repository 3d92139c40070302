"""YCB models: derived from installed geometry, dressed from a textured folder, honest about which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from dgrasp.cameras import Intrinsics
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import place_model, task


@pytest.fixture(autouse=True)
def fresh_models() -> None:
    load_model.cache_clear()


@pytest.mark.parametrize("name", ["banana", "foam_brick", "master_chef_can", "tennis_ball"])
def test_convex_parts_fill_the_mesh(name: str, flat_ycb: None) -> None:
    model = load_model(name)
    source = trimesh.load_mesh(ycb.mesh_path(name))
    assert model.source == ycb.FLAT and model.texture is None
    np.testing.assert_allclose(np.ptp(model.corners, axis=0), source.extents, atol=2.5e-3)
    np.testing.assert_allclose(model.extents, source.extents, atol=1e-9)
    drawn = trimesh.load_mesh(model.visual)
    np.testing.assert_allclose(drawn.extents, source.extents, atol=3e-3)
    assert len(drawn.faces) <= 1250


def test_masses_are_those_of_the_set() -> None:
    assert ycb.facts("power_drill").mass == 0.895 and ycb.facts("strawberry").mass == 0.018
    assert len(ycb.NOVEL) == 9


def test_unknown_objects_are_named() -> None:
    with pytest.raises(ValueError, match=r"unknown YCB object 'bananna'; objects: banana, "):
        load_model("bananna")


def test_textures_are_seen_and_named(cell: Cell, textured_ycb: Path) -> None:
    scene = Scene((place_model(np.random.default_rng(4), "master_chef_can"),))
    assert scene.model_sources == ("textured folder",)
    cell.reset(scene)
    Ts, K = evaluation_viewpoints(2), Intrinsics.d415(320, 240)
    geometry = cell.observe_geometry(Ts, K)
    pixels = cell.observe(Ts, K).images[geometry.labels == geometry.names.index("master_chef_can")]
    assert len(np.unique(pixels, axis=0)) > 100
    blue = pixels[:, 2].astype(int) - pixels[:, 0] > 60
    assert 0.2 < blue.mean() < 0.8  # the can lies on its side: blue label, silver lids, white print


def test_texture_does_not_move_the_object(textured_ycb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dressed = task("novel").scene("test", 1).digest()
    monkeypatch.delenv(ycb.ENVIRONMENT)
    load_model.cache_clear()
    assert task("novel").scene("test", 1).digest() == dressed


def test_an_incomplete_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ycb.ENVIRONMENT, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no textured pear; looked for .*pear.*textured.obj"):
        load_model("pear")
