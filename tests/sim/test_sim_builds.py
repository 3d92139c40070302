"""Either build of PyBullet: the one that returns arrays, and the one that returns tuples (Python 3.12 and newer)."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pybullet
import pytest
from sim_scenes import box, scene_of

from dgrasp.cameras import Intrinsics
from dgrasp.cell.config import CellConfig
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim import render as module
from dgrasp.sim.cell import Cell
from dgrasp.sim.render import Light, Picture, render


def as_tuples(answer: tuple) -> tuple:
    return answer[0], answer[1], *(tuple(np.ravel(part).tolist()) for part in answer[2:])


def as_arrays(answer: tuple) -> tuple:
    width, height, rgba, z, bodies = answer
    shape = (height, width)
    return (
        width,
        height,
        np.array(rgba, np.uint8).reshape(*shape, 4),
        np.array(z, np.float32).reshape(shape),
        np.array(bodies, np.int32).reshape(shape),
    )


def test_both_kinds_of_pictures_are_read_alike(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    cell.reset(scene_of(box()))
    answer = pybullet.getCameraImage
    pictures: list[Picture] = []
    for kind in (as_arrays, as_tuples):
        monkeypatch.setattr(module.bullet, "getCameraImage", lambda *a, kind=kind, **k: kind(answer(*a, **k)))
        T = evaluation_viewpoints(2)[0]
        pictures.append(render(cell.world.client, CellConfig(), T, Intrinsics.d415(64, 48), Light()))
    first, second = pictures
    assert (first.bodies >= 0).any() and (first.bodies < 0).any(), "something is seen, and nothing behind it"
    for name in ("rgb", "depth", "bodies"):
        a, b = getattr(first, name), getattr(second, name)
        assert a.dtype == b.dtype and a.flags.writeable == b.flags.writeable
        np.testing.assert_array_equal(a, b)


def test_the_digests_tell_one_build_from_another(root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.syspath_prepend(root / "tools")
    tool = importlib.import_module("bullet_digest")
    assert tool.main(["1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["build"].startswith("pybullet") and len({said[name] for name in tool.COMPARED}) == 3
    other = tmp_path / "other.json"
    for changes, code in (({}, 0), ({"pictures": "0" * 64, "build": "another"}, 1)):
        other.write_text(json.dumps(said | changes))
        assert tool.main(["1", "--against", str(other)]) == code
    assert "error: pictures of pybullet" in (err := capsys.readouterr().err) and "differ from those of another" in err
