"""The whole recipe on rendered photographs: a page on the bench, objects beside it, and cameras that are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from sim_scenes import box, scene_of

from dgrasp.cameras import Intrinsics
from dgrasp.cell.sheet import Sheet, write_sheet_file
from dgrasp.cell.transforms import inverse
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.captures.sight import check_sight
from dgrasp.sim.cell import Cell
from dgrasp.sim.sheet_photographs import photographs_with_sheet

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")


def test_photographs_of_a_scene_with_the_sheet_tell_where_the_cameras_stood(tmp_path: Path) -> None:
    """To 5 mm and 0.3 degrees, as OWN_IMAGES says."""
    sheet, lens = Sheet(), Intrinsics.d415()
    with Cell() as cell:
        cell.reset(scene_of(box(at=(0.3, 0.1)), box("other", at=(0.25, -0.15))))
        truth = photographs_with_sheet(cell, sheet, evaluation_viewpoints(2), lens)
        bare = cell.observe(truth.Ts_world_cam, lens)
    changed = (np.abs(truth.images.astype(int) - bare.images).max(-1) > 20).mean(axis=(1, 2))
    assert (changed > 0.05).all() and (changed < 0.5).all(), "the page is seen, and the scene beside it"
    for i, image in enumerate(truth.images):
        Image.fromarray(image).save(tmp_path / f"{i}.jpg", quality=92)
    write_sheet_file(sheet, tmp_path / "sheet.yaml")
    found = read_capture(tmp_path)
    check_sight(found)
    off = inverse(truth.Ts_world_cam) @ found.Ts_world_cam
    assert 1e3 * np.linalg.norm(off[:, :3, 3], axis=1).max() < 5
    assert np.degrees(Rotation.from_matrix(off[:, :3, :3]).magnitude()).max() < 0.3
    np.testing.assert_allclose(found.K[:, 0, 0], lens.fx, rtol=0.01)
