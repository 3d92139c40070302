"""The whole recipe: a page on the table, two photographs, and the grasps are those of known cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from looking_policy import looking_policy
from photographed import camera, lens, page_of, photograph
from PIL import Image
from plan_command import main

from dgrasp.cameras import Views
from dgrasp.cell.observer import Observer
from dgrasp.cell.sheet import Sheet, write_sheet_file
from dgrasp.data.export import write_transforms

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")


class SmallExperiment:
    """Has a policy that looks at pixels, intrinsics and poses."""

    observer = Observer(width=64, height=48)

    def policy(self, name: str):
        return looking_policy()


def test_a_sheet_on_the_table_is_as_good_as_known_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", lambda *_: SmallExperiment())
    sheet, size, K = Sheet(), (640, 480), lens(640, 480, 617.0)
    page = page_of(sheet, tmp_path)
    Ts = np.stack([camera(-80), camera(80)])
    images = np.stack([photograph(page, sheet, K, size, T) for T in Ts])
    write_transforms(Views(images, np.stack([K] * 2), Ts), tmp_path / "known")
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "photos" / f"IMG_{i}.JPG", quality=92)
    write_sheet_file(sheet, tmp_path / "photos" / "sheet.yaml")
    tables = []
    for name in ("known", "photos"):
        assert main([str(tmp_path / name), "--output", str(tmp_path / f"{name}.csv")]) == 0, capfd.readouterr().err
        tables.append(pd.read_csv(tmp_path / f"{name}.csv"))
    known, found = tables
    np.testing.assert_allclose(found[["x", "y", "z"]], known[["x", "y", "z"]], atol=0.002)
    np.testing.assert_allclose(found["value"], known["value"], atol=0.05)
