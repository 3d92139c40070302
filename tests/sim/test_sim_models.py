"""YCB models: derived from installed geometry, dressed from a textured folder, honest about which."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh

from dgrasp import cache
from dgrasp.cameras import Intrinsics
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.files import UserFileError
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import models, ycb
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import place_model, task


@pytest.fixture(autouse=True)
def fresh_models() -> None:
    models._load.cache_clear()


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
    assert task("novel").scene("test", 1).digest() == dressed


def test_an_incomplete_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ycb.ENVIRONMENT, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no textured pear; looked for .*pear.*textured.obj"):
        load_model("pear")


def test_looks_do_not_mix_in_a_process_that_has_loaded_others(ycb_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, source in ((str(ycb_dir), ycb.TEXTURED), ("", ycb.FLAT), (str(ycb_dir), ycb.TEXTURED)):
        monkeypatch.setenv(ycb.ENVIRONMENT, folder)
        assert load_model("pear").source == source


@pytest.mark.parametrize("name", ["textured.obj", "texture_map.png"])
@pytest.mark.parametrize("damage", [b"", b"<html>404</html>", b"v 0 0\nf 1 2 3\n"])
def test_damaged_textures_are_named(
    ycb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: bytes
) -> None:
    monkeypatch.setenv(ycb.ENVIRONMENT, str(ycb_dir))
    whole = ycb.textured_obj("pear")
    assert whole
    (tmp_path / "pear").mkdir()
    for file in (whole, ycb.texture_of(whole)):
        (tmp_path / "pear" / file.name).write_bytes(damage if file.name == name else file.read_bytes())
    monkeypatch.setenv(ycb.ENVIRONMENT, str(tmp_path))
    with pytest.raises(
        UserFileError, match=r"pear: textured\.obj and texture_map\.png are not a mesh with its texture"
    ):
        load_model("pear")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """An empty cache whose files cannot be larger than that many bytes, as if the disk were full."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(cache, "_known_whole", set())
    monkeypatch.setenv("DGRASP_CACHE", str(tmp_path / "cache"))
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("size", [0, 20_000])
def test_a_full_disk_in_the_middle_of_a_model_leaves_no_half_of_it(room, tmp_path, flat_ycb, size) -> None:
    room(size)
    with pytest.raises(cache.CacheError, match=r"cache: derived models cannot be kept there \(File too large\)"):
        load_model("tennis_ball")
    room(-1)
    assert not list((tmp_path / "cache").iterdir())
    assert load_model("tennis_ball").corners.size, "with room the same call makes it"


@pytest.mark.parametrize("written", ["", "o convex_0\nv 0 0 0\nv 1 0 0\nf 1 2 3\no convex_1\nv 0 0 1\nv 1."])
def test_a_decomposition_that_a_full_disk_cut_off_is_not_kept(room, tmp_path, flat_ycb, monkeypatch, written) -> None:
    """V-HACD says nothing of it."""
    monkeypatch.setattr(models.subprocess, "run", lambda command, **_: Path(command[4]).write_text(written))
    with pytest.raises(cache.CacheError, match=r"cut off: is the disk full\?\); free some space, or set DGRASP_CACHE"):
        load_model("banana")
    assert not list((tmp_path / "cache").iterdir())
