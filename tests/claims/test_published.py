"""What the repository ships is what its published results say: figures, tables, weights, the README's numbers."""

import gzip
import hashlib
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from statements import text_of

from dgrasp.cameras import Views
from dgrasp.cli.notebooks.source import parameter_defaults, read_source
from dgrasp.data.layout import read_manifest
from dgrasp.data.statistics import sec_4_1_departures
from dgrasp.evaluation.over_seeds import rates_by_seed
from dgrasp.experiment.ablations.kept import published_results
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.beyond import contrasts, kept_attempts, kept_table
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import PAPERS_SET, training_set
from dgrasp.experiment.closed_loop import made
from dgrasp.experiment.model_card import model_card
from dgrasp.experiment.record import LARGEST_MIB
from dgrasp.experiment.seeds import all_seeds, trials_of
from dgrasp.experiment.store import PUBLISHED, named_profile, published, published_folder, seed_with_weights
from dgrasp.files import SUMS, read_sealed, read_sums, visible_files
from dgrasp.policy.policies import policy_spec
from dgrasp.poses import uniform_poses
from dgrasp.report.captions import templates
from dgrasp.report.publish import other_looks
from dgrasp.report.registry import OUTPUTS
from dgrasp.report.tables.paper import paper_values
from dgrasp.report.tables.success import table_1
from dgrasp.twin.trials import read_twin_trials

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
ALL = [(name, seed) for name, seeds in published().items() for seed in seeds]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def rows():
    return pd.DataFrame(json.loads((FIGURES / "tab01.json").read_text()))


@pytest.mark.parametrize(("name", "seed"), ALL)
def test_every_published_run_is_read_with_today_s_classes(name, seed, tmp_path):
    """Settings and modules were renamed since: what was written under old names is read under the present ones."""
    read = Experiment.open(f"published:{name}", tmp_path, seed)
    runs = [read.demonstrations(), read.nerf(), *read.values().values(), *read.tuning().values()]
    runs += [read.evaluation(), read.twin_trials(), read.calibration_sweep()]
    folder = published_folder(name, seed)
    runs += {result.run.path: result.run for result in published_results(read)}.values()
    runs += [loops] if (loops := made(read)) is not None else []
    assert {run.path for run in runs} == {path for path in folder.iterdir() if path.is_dir()}
    for run in runs:
        assert run.summary and run.seed == seed and run.recipe.digest()
    assert len(read_attempts(read.evaluation())) == read.evaluation().summary["attempts"]
    assert len(read_attempts(read.calibration_sweep())) == read.calibration_sweep().summary["attempts"]
    logs = read_twin_trials(read.twin_trials()).values()
    assert sum(len(log.judged) for log in logs) == read.twin_trials().summary["trials"]
    for policy in read.profile.evaluation.policies:
        assert read.optimizer(policy).n_starts == read.profile.optimizer.n_starts
        if seed == seed_with_weights(name):
            assert read.policy(policy).spec.name == policy
    assert set(read_sums(folder)) == set(visible_files(folder)) - {SUMS}, "every file has its digest"
    assert (folder / "model_card.md").read_text(encoding="utf-8") == model_card(read)


def test_there_is_a_published_experiment():
    assert ALL[0] == ("laptop", 0)


@pytest.mark.parametrize("entry", OUTPUTS, ids=lambda entry: entry.id)
def test_every_output_is_there_and_comes_from_the_published_runs(entry):
    for suffix in entry.suffixes:
        assert (FIGURES / f"{entry.id}.{suffix}").stat().st_size > 0
    sidecar = json.loads((FIGURES / f"{entry.id}.meta.json").read_text())
    assert sidecar["profile"] == named_profile("published").name
    folders = [published_folder("laptop", seed) for name, seed in ALL if name == "laptop"]
    known = {path.name.rpartition("-")[2] for folder in folders for path in folder.iterdir() if path.is_dir()}
    for name, run in sidecar["runs"].items():
        assert run["fingerprint"][:12] in known, name
    assert other_looks(FIGURES) == {}, "one look of the YCB objects in trials and pictures"


def test_table_1_says_what_the_published_trials_say(experiment, rows):
    seeds, profile = all_seeds(experiment), experiment.profile
    expected = table_1(rates_by_seed(trials_of(seeds), profile.evaluation), training_set(profile))
    written = rows[expected.columns].assign(difference=rows["difference"].astype(float))  # all null: no numbers there
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    ours = rows[rows["n"].notna()]
    assert len(ours) == 8 * len(profile.evaluation.tasks) * len(seeds), "eight policies on each task"
    assert set(ours["n"]) == {250}, "the paper's number of attempts for each seed"
    assert set(ours["seed"]) == {e.seed for e in seeds}


def test_differences_from_the_paper_stand_only_where_the_training_set_is_the_paper_s(rows):
    (training,) = set(rows["training"])
    assert rows["difference"].notna().any() == (training == PAPERS_SET)


def test_the_published_evaluation_keeps_the_paper_s_tasks(experiment):
    """Sec. 4.2 and 5: the paper's own numbers, and not what the package takes where nothing is said."""
    evaluation = experiment.profile.evaluation
    budgets = {task: (budget.scenes, budget.attempts) for task, budget in evaluation.tasks.items()}
    assert budgets.items() >= {"simple": (10, 5), "clutter": (10, 5), "novel": (50, 1)}.items()
    assert (evaluation.views, evaluation.repetitions, evaluation.confidence) == (2, 5, 0.95)
    pieces = itertools.product(("base", "dgrasp"), ("quat", "6d"), ("seq", "sync"))
    assert evaluation.policies == tuple(map("_".join, pieces))
    stated = paper_values()["tab01"]["attempts"]
    assert {t: s * a * evaluation.repetitions for t, (s, a) in budgets.items() if t in stated} == stated
    assert set(budgets) - set(stated) <= {"unseen"}
    assert set(read_attempts(experiment.evaluation())["task"]) == set(evaluation.tasks)


@pytest.mark.parametrize(("name", "seed"), ALL)
def test_the_manifest_proves_the_paper_s_training_set(name, seed, tmp_path):
    """Sec. 4.1: 2,560 demonstrations, and never objects close to each other, textures, or poses other than upright."""
    read = Experiment.open(f"published:{name}", tmp_path, seed)
    if training_set(read.profile) != PAPERS_SET:
        pytest.skip(f"trained on another set: {training_set(read.profile)}")
    manifest = read_manifest(read.demonstrations().path)
    assert sec_4_1_departures(manifest, read.profile.data.objects_per_scene) == []
    train = [entry for name, entry in manifest["files"].items() if name.startswith("train-")]
    assert sum(entry["demonstrations"] for entry in train) == 2560


@pytest.mark.parametrize("entry", OUTPUTS, ids=lambda entry: entry.id)
def test_every_caption_is_whole_and_vector_files_are_small(entry):
    said = json.loads((FIGURES / f"{entry.id}.caption.json").read_text(encoding="utf-8"))
    assert said["title"].startswith(entry.title) and said["alt_text"] == entry.alt_text
    pattern = re.escape(" ".join(templates()[entry.id].split()))
    assert re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", pattern), said["caption"]), "the text of captions.yaml, filled"
    if "pdf" in entry.suffixes:
        assert (FIGURES / f"{entry.id}.pdf").stat().st_size < 2**20


def test_table_1_s_title_names_its_training_set_and_seeds(rows):
    (training,), seeds = set(rows["training"]), sorted({f"{seed:g}" for seed in rows["seed"].dropna()})
    learned = "the simple task alone" if training == PAPERS_SET else training
    behind = f"trained on {learned}, training seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"
    said = json.loads((FIGURES / "tab01.caption.json").read_text(encoding="utf-8"))
    assert said["title"] == f"Grasp success rates in the simulated tasks, {behind}"
    assert (FIGURES / "tab01.md").read_text(encoding="utf-8").startswith(f"# Table 1: {said['title']}\n")


@pytest.mark.parametrize(("name", "seed"), ALL)
def test_weights_and_results_are_small(name, seed, tmp_path):
    folder = published_folder(name, seed)
    assert sum(path.stat().st_size for path in folder.parent.rglob("*") if path.is_file()) < LARGEST_MIB * 2**20
    policies = Experiment.open(f"published:{name}", tmp_path, seed).profile.evaluation.policies
    models = {policy_spec(policy).model for policy in policies}
    assert len(list(folder.rglob("*.safetensors"))) == (1 + len(models) if seed == seed_with_weights(name) else 0)
    assert folder.is_relative_to(PUBLISHED)


def test_tables_are_compressed_and_are_what_the_runs_wrote():
    """Their digests before they were packed are those of the runs, and of each run only what is kept is listed."""
    for done in PUBLISHED.glob("*/seed-*/*/done.json"):
        stated = read_sealed(done)
        assert {name for name in stated["outputs"] if not (done.parent / name).is_file()} <= set(stated["volatile"])
        for name, digest in stated.get("unpacked", {}).items():
            assert not (done.parent / name).exists()
            table = gzip.decompress((done.parent / f"{name}.gz").read_bytes())
            assert hashlib.sha256(table).hexdigest() == digest, done.parent.name
    packed = {path.parent.name.rpartition("-")[0] for path in published_folder("laptop", 0).glob("*/*.csv.gz")}
    assert {"evaluation", "calibration-sweep"} <= packed


def test_published_models_load_and_score(experiment):
    """A finite score of every pose, which are not all the same, and others of another scene."""
    low, high = (torch.tensor(corner) for corner in experiment.profile.value.workspace)
    poses = uniform_poses(8, low, high, torch.Generator().manual_seed(0))
    lens, Ts = experiment.observer.intrinsics, experiment.observer.Ts_world_cam
    K = np.stack([lens.matrix] * len(Ts))
    seen = np.random.default_rng(0).integers(0, 256, (2, len(Ts), lens.height, lens.width, 3), dtype=np.uint8)
    for model in experiment.values():
        value = experiment.load_value(model)
        with torch.no_grad():
            one, other = (value.bind(value.encode(Views(images, K, Ts)))(poses) for images in seen)
        assert torch.isfinite(one).all() and one.unique().numel() == len(poses), model
        assert not torch.allclose(one, other), model


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_reader_who_opens_a_notebook_meets_the_published_models(source):
    defaults = parameter_defaults(source, read_source(source))
    assert (defaults["profile"], defaults["build"]) == ("published", "../build/published")


def test_what_the_pages_say_of_the_panda_is_what_its_attempts_say():
    """REPRODUCING and README: no difference between Base and dGrasp beyond chance."""
    found = contrasts(kept_attempts(profile="panda"))
    assert len(found) == 6 and found["seeds"].unique().tolist() == [1]
    assert found["p_holm"].min() > 0.05 and found["difference"].abs().max() < 0.05
    assert "of its tasks none shows a difference between Base and dGrasp beyond chance" in text_of("REPRODUCING.md")
    rows = pd.DataFrame(kept_table("beyond", profile="panda"))
    assert set(rows["n"]) == {250} and len(rows) == 12


@pytest.mark.parametrize("profile", ["beyond", "panda"])
def test_kept_attempts_are_those_of_the_kept_table(profile):
    rows = pd.DataFrame(kept_table("beyond", profile=profile)).set_index(["policy", "task", "seed"])["successes"]
    counted = kept_attempts(profile=profile).groupby(["policy", "task", "seed"])["success"].sum()
    assert counted.astype(int).to_dict() == rows.to_dict()
