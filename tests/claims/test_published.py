"""What the repository ships is what its runs on record say: figures, tables, weights, and the numbers in the README."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dgrasp.cli.notebooks.source import parameter_defaults, read_source
from dgrasp.data.card import markdown_table
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.statistics import success_rates
from dgrasp.evaluation.table import read_trials
from dgrasp.experiment import record
from dgrasp.report.publish import other_looks
from dgrasp.report.registry import OUTPUTS
from dgrasp.report.tables.success import headline, table_1

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return record.RecordedExperiment.read(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def rows():
    return pd.DataFrame(json.loads((FIGURES / "tab01.json").read_text()))


@pytest.mark.parametrize("entry", OUTPUTS, ids=lambda entry: entry.id)
def test_every_output_is_there_and_comes_from_the_runs_on_record(entry):
    for suffix in entry.suffixes:
        assert (FIGURES / f"{entry.id}.{suffix}").stat().st_size > 0
    sidecar = json.loads((FIGURES / f"{entry.id}.meta.json").read_text())
    assert sidecar["profile"] == record.recorded_profile().name
    on_record = {path.name.rpartition("-")[2] for path in record.FOLDER.iterdir() if path.is_dir()}
    for name, run in sidecar["runs"].items():
        assert run["fingerprint"][:12] in on_record, name
    assert other_looks(FIGURES) == {}, "one look of the YCB objects in trials and pictures"


def test_table_1_says_what_the_trials_on_record_say(experiment, rows):
    expected = table_1(success_rates(read_trials(experiment.evaluation()), experiment.profile.evaluation))
    pd.testing.assert_frame_equal(rows[expected.columns], expected, check_dtype=False)
    ours = rows[rows["n"].notna()]
    assert len(ours) == 24 and set(ours["n"]) == {250}, "eight policies, three tasks, the paper's number of attempts"


def test_the_recorded_evaluation_keeps_the_paper_s_tasks(experiment):
    evaluation, paper = experiment.profile.evaluation, EvaluationConfig()
    assert evaluation == paper
    assert set(read_trials(experiment.evaluation())["task"]) == {"simple", "clutter", "novel"}


def test_the_readme_prints_table_1(rows):
    assert markdown_table(headline(rows)) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_weights_and_records_are_small():
    size = sum(path.stat().st_size for path in record.FOLDER.rglob("*") if path.is_file())
    assert size < record.LARGEST_MIB * 2**20
    assert len(list(record.FOLDER.rglob("*.safetensors"))) >= 4


def test_recorded_models_load_and_score(experiment):
    for model in experiment.values():
        assert sum(p.numel() for p in experiment.load_value(model).readout.parameters()) > 0


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_reader_who_opens_a_notebook_meets_the_recorded_models(source):
    defaults = parameter_defaults(source, read_source(source))
    assert (defaults["profile"], defaults["build"]) == ("recorded", "../build/recorded")
