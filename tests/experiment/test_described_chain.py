"""The whole chain in a described cell: demonstrations, Phi, Psi, tuning, attempts, table, and the twin."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dgrasp.cell.description import read_cell
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.evaluation.statistics import success_rates
from dgrasp.evaluation.table import read_trials
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import ProfileError, load_profile
from dgrasp.files import read_json
from dgrasp.twin.trials import read_twin_trials
from dgrasp.value.queries import QueryConfig

pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
MICRO = Path(__file__).with_name("micro.yaml")
POLICIES = ["base_quat_sync", "dgrasp_quat_sync"]
SMALLER: dict[str, Any] = {
    "data": {"train_scenes": 2, "validation_scenes": 1},
    "nerf": {"training": {"steps": 10, "checkpoint_every": 10}},
    "value": {"steps": 6, "validate_every": 6, "validation_scenes": 1},
    "optimizer": {"n_starts": 8, "steps": 4},
    "tuning": {"trials": 1, "startup_trials": 1},
    "validation": {"tasks": ["simple"]},
    "evaluation": {"policies": POLICIES},
    "twin": {"sweep": {"millimetres": [5.0], "degrees": []}},
}


def profile(source: str, cell: str, folder: Path, **changes: dict[str, Any]) -> Path:
    """A profile like another one, in a described cell."""
    about = yaml.safe_load(source)
    for part, values in changes.items():
        about.setdefault(part, {}).update(values)
    about |= {"name": f"of-{cell}", "cell": {"description": cell}}
    path = folder / f"{cell}.yaml"
    path.write_text(yaml.safe_dump(about))
    return path


def smaller(folder: Path, cell: str, **changes: dict[str, Any]) -> Path:
    about = yaml.safe_load(MICRO.read_text())
    for part, values in (SMALLER | changes).items():
        for key, value in values.items():
            about.setdefault(part, {})
            about[part][key] = about[part].get(key, {}) | value if isinstance(value, dict) else value
    return profile(yaml.safe_dump(about), cell, folder)


def check_chain(experiment: Experiment, cell: str) -> None:
    """Everything that was made is of that cell, and the table has its rows."""
    described = read_cell(cell)
    low, high = np.array(described.workspace.low), np.array(described.workspace.high)
    shown = DemonstrationSet(experiment.demonstrations(), "train")
    for k in range(len(shown)):
        assert shown[k].state.cell == experiment.profile.cell.description
        assert (shown[k].T_world_grasp[:3, 3] > low - 1e-9).all() and (shown[k].T_world_grasp[:2, 3] < high[:2]).all()
    trials = read_trials(experiment.evaluation())
    table = success_rates(trials, experiment.profile.evaluation)
    assert set(table["policy"]) == set(experiment.profile.evaluation.policies) and (table["n"] > 0).all()
    places = trials[["x", "y", "z"]].dropna().to_numpy()
    assert ((places >= low - 1e-4) & (places <= high + 1e-4)).all(), "poses are searched in the cell's workspace"
    logs = read_twin_trials(experiment.twin_trials())
    assert all(log.header["devices"]["arm"] == f"PyBullet {described.name}" for log in logs.values())
    limits = next(iter(logs.values())).header["settings"]["limits"]
    assert limits["cell"]["name"] == described.name and limits["low"] == list(described.workspace.low)


@pytest.mark.slow
def test_the_whole_chain_runs_on_the_panda_from_any_seed(tmp_path: Path) -> None:
    """Whose number every stage is handed."""
    experiment = Experiment.open(str(smaller(tmp_path, "panda_hand")), tmp_path / "build", seed=1)
    check_chain(experiment, "panda_hand")
    seeds = {path.parent.name: read_json(path)["seed"] for path in tmp_path.glob("build/runs/*/run.json")}
    assert len(seeds) == 8 and set(seeds.values()) == {1}, seeds


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cell", ["panda_hand", "ur5_2f85", "ur10_2f140_d415"])
def test_the_chain_runs_at_smoke_scale_on_each_shipped_cell(cell: str, tmp_path: Path) -> None:
    """Half an hour of two cores; every week (.github/workflows/weekly.yml)."""
    if not os.environ.get("DGRASP_ALL_CELLS"):
        pytest.skip("half an hour: set DGRASP_ALL_CELLS=1")
    source = files("dgrasp.experiment.profiles").joinpath("smoke.yaml").read_text()
    experiment = Experiment.open(
        str(profile(source, cell, tmp_path, evaluation={"policies": POLICIES})), tmp_path / "build"
    )
    if cell != "ur10_2f140_d415":
        return check_chain(experiment, cell)
    assert experiment.profile.cell == load_profile("smoke").cell, "the paper's cell described is the paper's cell"
    assert set(read_trials(experiment.evaluation())["policy"]) == set(POLICIES)


def test_a_profile_follows_its_cell(tmp_path: Path) -> None:
    """Workspace and query lines, where the profile says nothing; the digest is of the description, not of its name."""
    p, usual = load_profile(smaller(tmp_path, "panda_hand")), QueryConfig()
    cell = read_cell("panda_hand")
    assert p.value.workspace == (cell.workspace.low, cell.workspace.high)
    assert p.value.queries.finger_offset == pytest.approx(usual.finger_offset * 80 / 140)
    assert p.value.queries.width_offset == pytest.approx(usual.width_offset * 21 / 27)
    assert p.value.queries.points_per_line == 1, "what the profile says stays"
    assert p.cell.grip_force == 36.5 and p.cell.model.hand.name == "Franka hand"
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump(cell.model_dump(mode="json")))
    assert load_profile(smaller(tmp_path, "mine.yaml")).cell == p.cell, "a path, from the profile's folder"
    about = cell.model_dump(mode="json")
    about["workspace"]["high"][0] -= 0.05
    own.write_text(yaml.safe_dump(about))
    assert load_profile(smaller(tmp_path, "mine.yaml")).cell.digest() != p.cell.digest()
    fingers = load_profile(smaller(tmp_path, "panda_hand", fingers={"candidates": 8})).fingers
    assert fingers is not None and fingers.shape == pytest.approx((0.04, 0.052, 0.0105, 0.009))


def test_the_papers_cell_described_changes_nothing(tmp_path: Path) -> None:
    described = load_profile(smaller(tmp_path, "ur10_2f140_d415"))
    plain = yaml.safe_load((tmp_path / "ur10_2f140_d415.yaml").read_text())
    del plain["cell"]
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(plain))
    assert described.canonical() == load_profile(tmp_path / "plain.yaml").canonical()
    assert described.cell.description is None


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"cell": {"description": "kuka"}}, "kuka: no such cell; expected a .yaml file, or one of panda_hand, ur10"),
        ({"cell": {"description": "panda_hand", "grip_force": 100.0}}, "grip_force: 100 N; Franka hand has 3 to 70 N"),
        ({"cell": {"description": {"name": "half"}}}, "description.arm: Field required"),
    ],
)
def test_a_profile_with_a_cell_that_cannot_be_is_refused_in_a_line(
    changes: dict[str, Any], answer: str, tmp_path: Path
) -> None:
    about = yaml.safe_load(smaller(tmp_path, "panda_hand").read_text()) | changes
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(about))
    with pytest.raises(ProfileError, match=answer):
        load_profile(path)
