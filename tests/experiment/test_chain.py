"""The chain as a whole, at a scale of seconds: it resumes after kill -9, and equal seeds give equal bytes."""

import dataclasses
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import started
import torch
from dask_clusters import cluster

from dgrasp import streams
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.experiment import diagnosis, record, replication, store, variants
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.model_card import model_card
from dgrasp.experiment.profiles import Runtime, load_profile
from dgrasp.experiment.store import Build, Record, RecordError
from dgrasp.files import DamagedFileError, read_sealed
from dgrasp.report.figures import climbs
from dgrasp.runs import RunError
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task

MICRO = Path(__file__).with_name("micro.yaml")
COMPARED = ("trials.csv", "weights.safetensors", "readout.safetensors", "metrics.jsonl", "done.json")
CHAIN = """
import sys
from dgrasp.experiment.chain import Experiment
if __name__ == "__main__":
    Experiment.open(sys.argv[1], sys.argv[2], seed=int(sys.argv[3])).evaluation()
"""
# The same with every shape in an annotation held to what is handed over, all of it in one process.
SHAPED = """
from jaxtyping import install_import_hook
install_import_hook("dgrasp", "shapes.checked")
"""


def start(build, profile=MICRO):
    return started.start(CHAIN, profile, build, 0)


def finish(chain):
    assert chain.ended() == 0, chain.said[-3000:]


def results(build):
    """Everything that a run computed, by run and file name."""
    files = sorted(p for p in (build / "runs").rglob("*") if p.name in COMPARED)
    return {f"{p.parent.name}/{p.name}": p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Made by one process, with shapes checked: neither changes a byte."""
    build = tmp_path_factory.mktemp("undisturbed")
    script = build / "chain.py"
    script.write_text(SHAPED + CHAIN)
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    command = [sys.executable, str(script), str(MICRO), str(build), "0"]
    made = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    return build


@pytest.mark.slow
def test_killed_again_and_again_the_chain_ends_with_the_same_bytes(undisturbed, tmp_path):
    """A kill in every stage with workers, as soon as its folder appears and a little later: of all, or of the parent.

    What a kill between the steps of a stage does, each stage's own tests say.
    """
    build, profile = tmp_path / "build", tmp_path / "micro.yaml"
    profile.write_text(MICRO.read_text().replace("workers: 1", "workers: 2"))
    for stage, everybody in (("demonstrations", False), ("tuning-", True), ("evaluation", False)):
        chain = start(build, profile=profile)
        deadline = time.monotonic() + 300
        while chain.runs and not list((build / "runs").glob(f"{stage}*")):
            assert time.monotonic() < deadline, f"stage {stage} was not reached"
            time.sleep(0.02)
        time.sleep(0.7)
        if chain.runs:
            chain.kill(everybody)
    finish(start(build, profile=profile))
    assert not list((build / "runs").rglob(".*")), "locks and half-written files"
    expected, got = results(undisturbed), results(build)
    assert len(expected) == 19, "ten runs: summaries, weights of four, metrics of four, trials of one"
    assert got.keys() == expected.keys()
    assert [name for name in expected if got[name] != expected[name]] == []


def kill_a_worker(workers, folder, pattern):
    """kill -9 for one worker of a Dask cluster, as soon as there is a file of that name: a study, in the middle."""
    started.wait_until(lambda: list(folder.glob(pattern)), seconds=300)
    os.kill(workers.workers[0].pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_makes_the_same_table(undisturbed, tmp_path):
    """Scenes that are missing, all studies and all attempts, on two workers and then on one; Phi and Psi are there."""
    build = tmp_path / "build"
    shutil.copytree(undisturbed, build)
    for run in [*(build / "runs").glob("evaluation-*"), *(build / "runs").glob("tuning-*")]:
        shutil.rmtree(run)
    next((build / "runs").glob("demonstrations-*/scenes/train*")).unlink()
    models = {path: path.stat().st_mtime_ns for path in (build / "runs").glob("[nv]*/*.safetensors")}
    with cluster(n_workers=2) as workers:
        profile = load_profile(MICRO)
        runtime = Runtime(workers=2, backend="dask", scheduler=workers.scheduler_address)
        here = Experiment(profile.model_copy(update={"runtime": runtime}), Build(build))
        killer = threading.Thread(target=kill_a_worker, args=(workers, build / "runs", "tuning-*/study.journal"))
        killer.start()
        here.evaluation()
        killer.join()
    assert models == {path: path.stat().st_mtime_ns for path in models} and models
    assert results(build) == results(undisturbed)
    assert not list(build.rglob(".*")), "locks, half-written files, and what workers looked for"


@pytest.mark.slow
def test_two_starts_in_one_build_share_the_work(undisturbed, tmp_path):
    """One makes a stage, the other waits for it: neither fails, and nothing is written twice."""
    both = [start(tmp_path), start(tmp_path)]
    assert [chain.ended() for chain in both] == [0, 0], [chain.said for chain in both]
    assert "is at work on it; waiting until it ends" in "".join(chain.said for chain in both)
    assert results(tmp_path) == results(undisturbed)


@pytest.mark.slow
def test_a_finished_chain_computes_nothing_again(undisturbed):
    def stamps():
        return {p: p.stat().st_mtime_ns for p in (undisturbed / "runs").rglob("*") if p.is_file()}

    before = stamps()
    finish(start(undisturbed))
    assert stamps() == before


@pytest.mark.slow
def test_a_truncated_weights_file_is_named_and_its_run_made_again(undisturbed, tmp_path):
    build = tmp_path / "build"
    shutil.copytree(undisturbed, build)
    shutil.rmtree(next((build / "runs").glob("evaluation-*")))
    weights = next((build / "runs").glob("value-base-*")) / "readout.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    before = {path: path.stat().st_mtime_ns for path in (build / "runs").glob("[!ve]*/done.json")}
    finish(chain := start(build))
    assert f"{weights}: is not what the run wrote; the run is made again" in chain.said
    assert {path: path.stat().st_mtime_ns for path in before} == before, "and costs nothing else"
    assert results(build) == results(undisturbed)


@pytest.fixture(scope="module")
def published(undisturbed, tmp_path_factory):
    """The undisturbed experiment, and the folder it was published in."""
    experiment = Experiment.open(str(MICRO), undisturbed)
    experiment.twin_trials()
    experiment.calibration_sweep()
    return experiment, record.publish(experiment, tmp_path_factory.mktemp("published"))


def reading(folder, workspace):
    record = Record(folder, workspace)
    return Experiment(record.profile, record, record.seed)


@pytest.mark.slow
def test_a_record_gives_back_what_was_computed(published, tmp_path):
    made, folder = published
    read = reading(folder, tmp_path)
    assert read.profile == made.profile
    for stage in ("evaluation", "nerf"):
        assert getattr(read, stage)().summary == getattr(made, stage)().summary
    assert read_attempts(read.evaluation()).equals(read_attempts(made.evaluation()))
    name = made.profile.evaluation.policies[-1]
    assert read.optimizer(name) == made.optimizer(name)
    views = DemonstrationSet(read.example_scenes(), split="validation")[0].views
    plans = [e.policy(name).plan(views, torch.Generator().manual_seed(0)) for e in (made, read)]
    assert torch.equal(plans[0].T_world_tcp, plans[1].T_world_tcp)
    assert not list(folder.rglob("checkpoint*"))


@pytest.mark.slow
def test_a_record_names_the_demonstrations_of_the_training_and_not_those_made_again(published, tmp_path):
    made, folder = published
    read = reading(folder, tmp_path)
    assert read.used()["demonstrations"].fingerprint == made.demonstrations().fingerprint
    assert read.demonstrations().summary == made.demonstrations().summary
    again = read.example_scenes()
    same, scenes = record.identical_scenes(again, read.demonstrations())
    assert same == scenes == made.profile.data.train_scenes + made.profile.data.validation_scenes
    assert not list(folder.rglob("*.npz"))


@pytest.mark.slow
def test_plans_that_fail_are_put_down_to_a_stage(published, tmp_path):
    _, folder = published
    read = reading(folder, tmp_path)
    found = diagnosis.diagnose_all(read, replication.CONTRAST, ("simple",), scenes=2)
    assert len(found) == 4 and set(found["stage"]) <= set(diagnosis.STAGES)
    assert (found["stage"].eq("lifted") == found["outcome"].eq("success")).all()
    not_reached = found[found["stage"] == "summit not reached"]
    assert (not_reached["valid_value"] > not_reached["value"]).all()
    wrong = found[found["stage"] == "wrong summit"]
    assert (wrong["valid_value"] <= wrong["value"]).all()
    table = diagnosis.counts(found)
    assert table.drop(columns=["policy", "task"]).to_numpy().sum() == 4


@pytest.mark.slow
def test_climbs_of_several_policies_share_what_is_seen_of_a_scene(published, monkeypatch):
    """Each is the plan that its policy makes of that scene's views."""
    made, _ = published
    policies, seen, observe = ("base_quat_sync", "dgrasp_6d_seq"), [], SimulatedCell.observe
    monkeypatch.setattr(SimulatedCell, "observe", lambda cell: seen.append(cell) or observe(cell))
    found = climbs.record_climbs(made, policies, "simple", [1])
    assert len(seen) == 1
    state = task("simple").scene(split="test", index=1, seed=0)
    with SimulatedCell(made.profile.cell, made.observer) as cell:
        cell.show(state)
        views = cell.observe()
    for name in policies:
        (climb,) = found[name]
        generator = streams.torch_generator(0, "figures", "simple", "test", 1)
        plan = made.policy(name, pruning=()).plan(views, generator)
        assert torch.equal(torch.from_numpy(climb.T_world_tcp), plan.T_world_tcp)
        assert len(climb.near) == len(climb.scores) == climb.paths.shape[1]


@pytest.mark.slow
def test_the_model_card_says_what_the_runs_say(published):
    made, folder = published
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert Record(folder, folder).profile == made.profile
    for run in (made.nerf(), *made.values().values()):
        (weights,) = run.path.glob("*.safetensors")
        assert f"{run.path.name}/{weights.name}" in card and (folder / run.path.name / weights.name).is_file()
    trials = read_attempts(made.evaluation())
    policy = made.profile.evaluation.policies[0]
    lifted = int(trials[(trials["policy"] == policy) & (trials["task"] == "simple")]["success"].sum())
    budget = made.profile.evaluation.tasks["simple"]
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {policy} | {lifted} of ")]
    assert f"{lifted} of {budget.scenes * budget.attempts} [" in line
    assert f"{made.nerf().summary['psnr']:.2f}" in card


@pytest.mark.slow
def test_a_record_that_was_edited_or_is_missing_is_refused(published, tmp_path):
    _, original = published
    folder = tmp_path / "runs"
    shutil.copytree(original, folder)
    (run,) = folder.glob("nerf-*/run.json")
    run.write_text(run.read_text().replace('"hidden": 32', '"hidden": 33'))
    with pytest.raises(DamagedFileError, match=r"nerf-.*run\.json: is not what was written; restore it"):
        reading(folder, tmp_path).nerf()
    (weights,) = folder.glob("value-base-*/readout.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(DamagedFileError, match=r"readout\.safetensors: is not what .*; restore the published"):
        reading(folder, tmp_path).load_value("base")
    (folder / "profile.json").write_text((folder / "profile.json").read_text().replace("32", "33", 1))
    with pytest.raises(DamagedFileError, match=r"profile\.json: is not the published file"):
        reading(folder, tmp_path)
    shutil.copy(original / "profile.json", folder)
    shutil.rmtree(run.parent)
    with pytest.raises(
        RecordError,
        match=r"no run of stage 'nerf' there; stages: calibration-sweep, demonstrations, evaluation, tuning-",
    ):
        reading(folder, tmp_path).nerf()
    with pytest.raises(RecordError, match="no published experiment there"):
        reading(tmp_path / "nowhere", tmp_path)


@pytest.mark.slow
def test_publishing_computes_nothing_and_keeps_what_was_there(published, tmp_path):
    """A stage that is missing, or a change of the code since, is told and not computed."""
    made, original = published
    folder = tmp_path / "micro" / "seed-0"
    shutil.copytree(original, folder)
    build = tmp_path / "build"
    shutil.copytree(made.workspace, build)
    (done,) = build.glob("runs/evaluation-*/done.json")
    done.unlink()
    stages = sorted(path.name for path in (build / "runs").iterdir())
    with pytest.raises(RunError, match=r"evaluation-\w+: this stage is not complete"):
        record.publish(Experiment(made.profile, Build(build), made.seed), tmp_path)
    assert sorted(path.name for path in (build / "runs").iterdir()) == stages and not done.exists()
    assert reading(folder, tmp_path).evaluation().complete
    with pytest.raises(RecordError, match="is published already"):
        record.publish(reading(folder, tmp_path), tmp_path)
    with pytest.raises(RecordError, match="'micro' is for trying things out"):
        record.publish(made)
    assert record.publish(made, tmp_path) == folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in original.iterdir())
    assert sorted(path.name for path in folder.parent.iterdir()) == ["seed-0"]


@pytest.mark.slow
def test_an_experiment_too_large_leaves_what_was_there(published, tmp_path, monkeypatch):
    experiment, original = published
    folder = tmp_path / "micro" / "seed-0"
    shutil.copytree(original, folder)
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setattr(record, "LARGEST_MIB", 0.01)
    with pytest.raises(RecordError, match=r"MiB to publish, at most 0.01 are allowed"):
        record.publish(experiment, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == before


def as_seed(made, seed, name="beyond"):
    """The same results under another seed and another profile's name, as a build that may be published."""
    runs = [made.demonstrations(), made.nerf(), *made.values().values(), *made.tuning().values()]
    runs += [made.evaluation(), made.twin_trials(), made.calibration_sweep()]
    of_stage = {run.stage: run for run in runs}
    build = SimpleNamespace(workspace=made.workspace, run=lambda stage, recipe, make: of_stage[stage])
    return Experiment(made.profile.model_copy(update={"name": name}), build, seed)


@pytest.mark.slow
def test_weights_are_kept_of_the_seed_that_is_published_first(published, tmp_path, monkeypatch):
    """Whatever its number; of others rows are published, and who asks for their weights is told which seed has some."""
    made, _ = published
    root = tmp_path / "runs"
    monkeypatch.setattr(store, "PUBLISHED", root)
    for seed in (22, 21, 22, 21):
        folder = record.publish(as_seed(made, seed), root)
        assert folder == root / "beyond" / f"seed-{seed}"
    assert store.for_images() == "published:beyond" and store.first_seed("published:beyond") == 22
    first, other = (Experiment.open("published:beyond", tmp_path / "build", seed) for seed in (22, 21))
    for policy in first.profile.evaluation.policies:
        assert first.policy(policy).spec.name == policy
    with pytest.raises(RunError, match=r"weights.safetensors: not published: of seed 21 only rows .* take seed 22,"):
        other.policy("base_quat_sync")
    for read in (first, other):
        assert read_attempts(read.evaluation()).equals(read_attempts(made.evaluation()))
        assert read_attempts(read.calibration_sweep()).equals(read_attempts(made.calibration_sweep()))
        assert (read.store.folder / "model_card.md").read_text(encoding="utf-8") == model_card(read)
        summed = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=read.store.folder, check=False)
        assert summed.returncode == 0
    assert "seed=22)`, then `.load_nerf()`" in model_card(first) and "not kept" not in model_card(first)
    assert "`.load_nerf()`" not in model_card(other) and model_card(other).count("| not kept |") == 4
    assert other.twin_trials().complete
    assert not [*other.store.folder.rglob("*.safetensors"), *other.store.folder.rglob("*.png")]
    changed = as_seed(made, 23)
    optimizer = made.profile.optimizer.model_copy(update={"steps": made.profile.optimizer.steps + 1})
    changed = dataclasses.replace(changed, profile=changed.profile.model_copy(update={"optimizer": optimizer}))
    with pytest.raises(RecordError, match=r"seed-23: seed 21 of 'beyond' is published with other settings"):
        record.publish(changed, root)
    shutil.rmtree(first.store.folder)
    record.publish(as_seed(made, 21), root)
    assert store.first_seed("published:beyond") == 21, "the first one is gone"


@pytest.mark.slow
def test_all_seeds_of_an_experiment_have_one_limit(published, tmp_path, monkeypatch):
    made, _ = published
    folder = record.publish(as_seed(made, 1, "micro"), tmp_path)
    beside = tmp_path / "micro" / "seed-7" / "rows.csv"
    beside.parent.mkdir()
    beside.write_bytes(bytes(2**20))
    monkeypatch.setattr(record, "LARGEST_MIB", 1.0)
    with pytest.raises(RecordError, match=r"1.\d MiB to publish, other seeds included, at most 1 are allowed"):
        record.publish(as_seed(made, 1, "micro"), tmp_path)
    assert reading(folder, tmp_path).evaluation().complete


@pytest.mark.slow
def test_a_record_keeps_tables_compressed_and_digests_of_what_it_keeps(published, tmp_path):
    made, folder = published
    for run, name in ((made.evaluation(), "trials.csv"), (made.calibration_sweep(), "attempts.csv")):
        kept = folder / run.path.name
        assert not (kept / name).exists()
        packed = (kept / f"{name}.gz").read_bytes()
        assert packed == gzip.compress((run.path / name).read_bytes(), mtime=0)
        done = read_sealed(kept / "done.json")
        assert done["outputs"] == {f"{name}.gz": hashlib.sha256(packed).hexdigest()}
        assert done["unpacked"] == {name: hashlib.sha256((run.path / name).read_bytes()).hexdigest()}
        assert done["summary"] == run.summary
    nerf = made.nerf().path
    assert (folder / nerf.name / "done.json").read_bytes() == (nerf / "done.json").read_bytes(), "all of it is kept"


@pytest.mark.slow
def test_new_scenes_and_other_training_seeds(published, tmp_path, monkeypatch):
    made, folder = published
    read = reading(folder, tmp_path)
    policies = replication.CONTRAST
    with pytest.raises(ValueError, match="scene_seed: 0 is the experiment's own"):
        replication.evaluate_new_scenes(read, 0)
    new = replication.evaluate_new_scenes(read, 7, policies)
    trials = read_attempts(new)
    assert set(trials["policy"]) == set(policies) and set(trials["seed"]) == {7}
    assert not set(trials["value"]) & set(read_attempts(read.evaluation())["value"]), "another seed is another result"
    table = replication.agreement(read, new)
    assert set(table["policy"]) == set(policies) and table["p"].between(0, 1).all()
    place = replication.keep(table, replication.verdict(table), read, "scenes-7", tmp_path / "replications")
    stated = replication.kept(read, tmp_path / "replications")["scenes-7"]
    assert len(stated["rows"]) == len(table) and "agree within their intervals" in stated["said"]
    place.write_text(place.read_text().replace(read.evaluation().fingerprint, "another"))
    assert replication.kept(read, tmp_path / "replications") == {}, "of another experiment"
    again = replication.train_seeds(read, [0, 1])
    assert list(again["seed"]) == [0, 1]
    other = replication._values(read, 1)["base_quat_sync"]
    assert other.seed == 1 and other.recipe == made.value("base").recipe
    assert other.load("readout")["logit.weight"].ne(made.value("base").load("readout")["logit.weight"]).any()


@pytest.mark.slow
def test_variants_stand_beside_the_table(published, tmp_path, monkeypatch):
    """The same scenes and starts; whatever is otherwise is part of what the run is made from."""
    made, folder = published
    read = reading(folder, tmp_path)
    climbs = variants.everything_climbs(read, ["base_quat_sync"], repetitions=1)
    assert climbs.recipe.changes == {"pruning": ()} and climbs.fingerprint != read.evaluation().fingerprint
    (row,) = variants.beside_table_1(read, climbs).to_dict("records")
    table = read_attempts(read.evaluation())
    known = table[table["policy"] == "base_quat_sync"]["success"].sum() / row["n"]
    assert row["rate_table"] == pytest.approx(known) and row["difference"] == pytest.approx(row["rate"] - known)
    kept = tmp_path / "replications"
    replication.keep(variants.beside_table_1(read, climbs), "said", read, "everything-climbs", kept)
    replication.keep_trials(climbs, read, "everything-climbs", kept)
    again = replication.kept_trials(read, "everything-climbs", kept)
    assert again["reason"].tolist() == read_attempts(climbs)["reason"].tolist()
    assert replication.kept_trials(read, "base-reported", kept) is None

    monkeypatch.setattr(variants, "PAPERS_STARTS", 2 * made.profile.optimizer.n_starts)
    more = variants.papers_starts(read, ["base_quat_sync"], repetitions=1)
    assert more.recipe.changes == read.profile.optimizer.times(2) and len(read_attempts(more)) == row["n"]
    monkeypatch.setattr(variants, "PAPERS_STARTS", made.profile.optimizer.n_starts + 1)
    with pytest.raises(ValueError, match=r"n_starts.*no multiple"):
        variants.papers_starts(read, ["base_quat_sync"])

    monkeypatch.setattr(variants, "ITS_POLICY", "base_6d_seq")  # the micro experiment has no other sequential Base
    reported = variants.base_reported(made)
    assert (
        reported.recipe.observer.views == 3
        and reported.recipe.changes["n_starts"] == 2 * made.profile.optimizer.n_starts
    )
    values = [run.recipe.value.batch for run in map(made.value, ["base"])]
    (trained,) = [r for r in made.workspace.glob("runs/value-base-*") if r.name != made.value("base").path.name]
    assert values == [2] and '"batch": 4' in (trained / "run.json").read_text()
    with pytest.raises(ValueError, match="the predecessor's is base_6d_seq alone"):
        variants.base_reported(made, ["dgrasp_quat_sync"])
