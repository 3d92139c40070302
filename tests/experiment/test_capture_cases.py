"""The command walks over captures like those people have: the right grasps, or one line that says what is wrong."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import camera_cases
import file_cases
import numpy as np
import pandas as pd
import pytest
from capture_changes import NEAR, PLANS, SAME, Case
from looking_policy import looking_policy
from plan_command import main

from dgrasp.cell.observer import Observer

CASES = [*camera_cases.CASES, *file_cases.CASES]


class SmallExperiment:
    """Has every policy at once: one that looks at pixels, intrinsics and poses, without training."""

    observer = Observer(width=64, height=48)

    def policy(self, name: str):
        return looking_policy()


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", lambda *_: SmallExperiment())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dgrasp.experiment.chain.Experiment.open", lambda *_: SmallExperiment())
        assert main([str(Case("good", lambda *_: None, SAME).make(folder)), "--output", str(folder / "g.csv")]) == 0
    return pd.read_csv(folder / "g.csv")


def test_names_are_given_once() -> None:
    twice = [name for name, count in Counter(case.name for case in CASES).items() if count > 1]
    assert not twice and len(CASES) > 250


@pytest.mark.filterwarnings("error")  # a warning would be another line
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_capture_is_planned_on_or_refused_in_one_line(
    case: Case, tmp_path: Path, reference: pd.DataFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "capture"
    code = main([str(case.make(folder)), "--output", str(tmp_path / "grasps.csv")])
    out, err = capfd.readouterr()
    if case.answer in (SAME, NEAR, PLANS):
        assert (code, out, err) == (0, "", "")
        found = pd.read_csv(tmp_path / "grasps.csv")
        if case.answer == PLANS:
            assert len(found) > 1 and abs(found["value"] - reference["value"][: len(found)]).max() > 1e-4
        else:
            np.testing.assert_allclose(found, reference, atol=1e-6 if case.answer == SAME else 0.04)
        return
    assert code == 2 and out == "" and not (tmp_path / "grasps.csv").exists()
    assert err.count("\n") == 1 and err.startswith(f"dgrasp plan-from-images: {folder}"), err
    assert re.search(case.answer, err), err
    assert "delete" not in err and len(err) < 900
    assert (
        ("world frame" in err) == ("T_world_capture" in err) == bool(re.search("sees nothing|m from the|m below", err))
    )


SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "own_images"
FOLDERS = sorted(folder for folder in SHARED.iterdir() if folder.is_dir()) if SHARED.is_dir() else []
UNDISTORTED = ("04-", "46-", "54-")  # were refused for their distortion, which is undone today
PLAN_OR_REFUSE = ("grasps, or", "grasps or", "refused or", "composited or", "error or", "grasps with", "grasps (")


@pytest.mark.skipif(not FOLDERS, reason="no ../shared/cases/own_images beside the repository")
@pytest.mark.parametrize("given", FOLDERS, ids=lambda folder: folder.name)
def test_folders_that_people_could_have(given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = given
    if "symbolic link to itself" in (expected := (given / "README").read_text().removeprefix("expected: ").strip()):
        folder = Path(shutil.copytree(given, tmp_path / given.name))
        (folder / "images" / "loop.png").symlink_to("loop.png")
    code = main([str(folder)])
    out, err = capfd.readouterr()
    if code == 0:
        assert err == "" and len(out.splitlines()) > 2
        assert expected.startswith(("grasps", *PLAN_OR_REFUSE)) or given.name.startswith(UNDISTORTED)
    else:
        assert code == 2 and out == "" and err.count("\n") == 1 and str(folder) in err
        assert expected != "grasps" and not expected.startswith(("grasps (ref", "grasps within", "grasps, objects"))
