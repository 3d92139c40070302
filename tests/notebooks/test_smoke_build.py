"""What `make reproduce` must leave behind: every notebook, every figure and table, watermarked, with its provenance."""

import json

import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import pytest

from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.experiment.profiles import load_profile
from dgrasp.policy.policies import POLICIES
from dgrasp.report.registry import OUTPUTS


def rows(build, id="tab01"):
    return pd.DataFrame(json.loads((build / f"figures/{id}.json").read_text()))


def test_every_notebook_ran_to_its_end(smoke_build, root):
    sources = sorted(p.stem for p in (root / "notebooks").glob("*.py"))
    assert len(sources) == 10
    for stem in sources:
        notebook = nbformat.read(smoke_build / "notebooks" / f"{stem}.ipynb", as_version=4)
        code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
        assert all(c.execution_count for c in code), stem
    assert not list((smoke_build / "notebooks").glob("*.failed.ipynb"))


@pytest.mark.parametrize("entry", OUTPUTS, ids=lambda o: o.id)
def test_every_registered_output_exists_and_explains_itself(smoke_build, entry):
    for suffix in entry.suffixes:
        assert (smoke_build / f"figures/{entry.id}.{suffix}").stat().st_size > 0
    sidecar = json.loads((smoke_build / f"figures/{entry.id}.meta.json").read_text())
    assert sidecar["profile"] == "smoke" and sidecar["id"] == entry.id
    if "smoke" not in entry.made_at:
        assert "not run at this profile" in (smoke_build / f"figures/{entry.id}.csv").read_text()


@pytest.mark.parametrize("id", [o.id for o in OUTPUTS if o.kind == "figure" and "smoke" in o.made_at])
def test_figures_are_not_blank(smoke_build, id):
    image = matplotlib.image.imread(smoke_build / f"figures/{id}.png")[..., :3]
    assert np.ptp(image) > 0.5
    assert len(np.unique((image * 15).round().reshape(-1, 3), axis=0)) > 20


def test_table_1_has_all_tasks_and_policies_with_all_their_attempts(smoke_build):
    table = rows(smoke_build)
    ours = table[table["policy"] != "base_reported"].dropna(subset=["n"])
    config: EvaluationConfig = load_profile("smoke").evaluation
    assert set(zip(ours["policy"], ours["task"], strict=True)) == {(p, t) for p in POLICIES for t in config.tasks}
    for task, budget in config.tasks.items():
        assert set(ours[ours["task"] == task]["n"]) == {budget.scenes * budget.attempts * config.repetitions}
    assert ((ours["low"] <= ours["rate"]) & (ours["rate"] <= ours["high"])).all()
    assert np.allclose(ours["rate"], ours["successes"] / ours["n"])


def test_table_1_says_what_the_trials_say(smoke_build):
    """The table is counted from the recorded trials of the run that its sidecar names, and from nothing else."""
    meta = json.loads((smoke_build / "figures/tab01.meta.json").read_text())
    fingerprint = meta["runs"]["evaluation, seed 0"]["fingerprint"]
    trials = pd.read_csv(smoke_build / f"runs/evaluation-{fingerprint[:12]}" / "trials.csv")
    counted = trials[trials["success"]].groupby(["policy", "task"]).size()
    for row in rows(smoke_build).dropna(subset=["n"]).itertuples():
        assert row.successes == counted.get((row.policy, row.task), 0)
    assert (trials["success"] == (trials["outcome"] == "success")).all()


def test_smoke_beats_chance_on_simple_scenes(smoke_build):
    """Pooled over the eight policies; 52 of 64 attempts succeeded when the profile was last changed."""
    simple = rows(smoke_build).dropna(subset=["n"]).query("task == 'simple'")
    assert simple["successes"].sum() / simple["n"].sum() > 0.5


def test_table_2_has_the_twin_s_numbers_and_none_of_hardware(smoke_build):
    table, ours = rows(smoke_build, "tab02"), ["successes", "n", "rate", "low", "high"]
    backend = table["backend"]
    assert table.loc[backend == "hardware", ours].isna().all(axis=None) and (backend == "hardware").any()
    twin = table[(backend == "twin") & (table["policy"] != "base_reported")]
    assert (twin["n"] == twin["planned"]).all() and (twin["n"] > 0).all() and twin["rate"].between(0, 1).all()
