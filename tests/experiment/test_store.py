"""Published experiments by their names, and what a build and a record answer."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dgrasp.data.config import DataConfig
from dgrasp.experiment import replication, store
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import ProfileError, load_profile
from dgrasp.experiment.store import Build, Record, RecordError, named_profile, published_name
from dgrasp.files import DamagedFileError
from dgrasp.report.notebook import open_experiment


@pytest.fixture
def several(tmp_path, monkeypatch):
    """Two published experiments, the second with two seeds."""
    monkeypatch.setattr(store, "PUBLISHED", tmp_path)
    for name, seed in (("laptop", 0), ("another", 10), ("another", 2)):
        folder = tmp_path / name / f"seed-{seed}"
        folder.mkdir(parents=True)
        profile = load_profile("smoke").model_copy(update={"name": name}).model_dump_json()
        (folder / "profile.json").write_text(f'{{"profile": {profile}, "seed": {seed}}}')
    return tmp_path


@pytest.mark.parametrize(
    ("name", "meant"),
    [("published", "laptop"), ("published:another", "another"), ("smoke", None), ("mine.yaml", None), ("runs:x", None)],
)
def test_the_place_of_a_profile_s_name(name, meant):
    assert published_name(name) == meant


def test_the_former_name_is_understood_with_a_warning(tmp_path):
    with pytest.warns(DeprecationWarning, match="'recorded' is called 'published' now"):
        experiment = Experiment.open("recorded", tmp_path)
    assert experiment.store == Experiment.open("published", tmp_path).store
    with pytest.warns(DeprecationWarning, match=r"Experiment\.open"):
        assert Experiment.at("published", tmp_path) == experiment


def test_experiments_and_seeds_stand_side_by_side(several, tmp_path):
    assert list(store.published().items()) == [("laptop", [0]), ("another", [2, 10])]
    assert Experiment.open("published", tmp_path).profile.name == "laptop"
    experiment = Experiment.open("published:another", tmp_path / "build", seed=10)
    assert (experiment.profile.name, experiment.seed) == ("another", 10)
    assert experiment.store == Record(several / "another" / "seed-10", tmp_path / "build")
    assert experiment.workspace == tmp_path / "build"
    assert named_profile("published:another").name == "another"
    assert named_profile("smoke").name == "smoke"


def test_copies_of_folders_are_no_seeds_and_no_second_stage(several):
    """As file managers make them: one beside a seed, one beside a run."""
    shutil.copytree(several / "laptop" / "seed-0", several / "laptop" / "seed-0 (copy)")
    assert store.published()["laptop"] == [0]
    for name in ("nerf-0123", "nerf-4567"):
        (several / "laptop" / "seed-0" / name).mkdir()
    with pytest.raises(RecordError, match=r"nerf-0123 and nerf-4567 are of one stage; restore the folder"):
        Record(several / "laptop" / "seed-0", several).run("nerf", DataConfig, Path)


@pytest.mark.parametrize(
    ("name", "seed", "said"),
    [
        ("published:other", 0, r"no published experiment 'other'; published: laptop, another"),
        ("published:../laptop", 0, r"no published experiment '\.\./laptop'"),
        ("published:another", 0, r"seed: 0 asked; experiment 'another' is published with seed 2, 10"),
    ],
)
def test_what_is_not_published_is_named_with_what_is(several, tmp_path, name, seed, said):
    with pytest.raises(RecordError, match=said):
        Experiment.open(name, tmp_path, seed)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["smoke", "published"])
@pytest.mark.parametrize("seed", [-1, "0", 1.5, True, 2**70, None])
def test_a_seed_that_is_none_is_refused(tmp_path, name, seed):
    with pytest.raises(ValueError, match="seed: expected an integer of 0 or more"):
        Experiment.open(name, tmp_path, seed)
    assert not list(tmp_path.iterdir())
    taken = Experiment.open("smoke", tmp_path, np.int64(3)).seed
    assert type(taken) is int and taken == 3


def test_an_unknown_profile_is_refused(tmp_path):
    with pytest.raises(ProfileError, match="unknown profile 'publish'"):
        Experiment.open("publish", tmp_path)


def test_figures_draw_all_scenes_of_a_build_and_few_of_a_record():
    data = DataConfig(train_scenes=512)
    assert Build(Path("x")).example_data(data) == data
    assert Record(Path("x"), Path("y")).example_data(data).train_scenes == store.EXAMPLE_SCENES
    few = DataConfig(train_scenes=3)
    assert Record(Path("x"), Path("y")).example_data(few) == few


def test_only_notebooks_are_drawn_in_the_project_s_style(tmp_path):
    with plt.rc_context():
        plt.rcdefaults()
        before = dict(plt.rcParams)
        assert isinstance(Experiment.open("smoke", tmp_path).store, Build)
        assert dict(plt.rcParams) == before
        open_experiment("smoke", tmp_path)
        assert dict(plt.rcParams) != before


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"of": []}', '{"of": {"evaluation": "a"}, "rows": 3}'])
def test_a_replication_that_is_none_is_named(tmp_path, text):
    made = SimpleNamespace(profile=SimpleNamespace(name="mine"), seed=0, evaluation=None)
    (tmp_path / "mine" / "seed-0").mkdir(parents=True)
    (tmp_path / "mine" / "seed-0" / "seeds-0.json").write_text(text)
    with pytest.raises(DamagedFileError, match=r"seeds-0\.json: not what a replication keeps"):
        replication.kept(made, tmp_path)
