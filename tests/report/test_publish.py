import json

import pytest

from dgrasp.cli.main import main
from dgrasp.cli.notebooks import chain
from dgrasp.experiment import store
from dgrasp.experiment.profiles import load_profile
from dgrasp.report import executed
from dgrasp.report.outputs import OutputRefused
from dgrasp.report.publish import other_looks, publish
from dgrasp.report.registry import OUTPUTS
from dgrasp.report.studio import Studio


@pytest.fixture
def build(tmp_path):
    figures = tmp_path / "build" / "figures"
    figures.mkdir(parents=True)
    for entry in OUTPUTS:
        for suffix in entry.suffixes:
            content = json.dumps({"profile": "laptop", "ycb_models": "flat"}) if suffix == "meta.json" else entry.id
            (figures / f"{entry.id}.{suffix}").write_text(content)
    return tmp_path / "build"


def test_everything_registered_is_copied_unchanged(build, tmp_path):
    written = publish(build, tmp_path / "out")
    assert len(written) == sum(len(o.suffixes) for o in OUTPUTS)
    assert (tmp_path / "out/tab01.json").read_text() == "tab01"


def test_an_incomplete_build_publishes_nothing(build, tmp_path):
    (build / "figures/fig05.png").unlink()
    with pytest.raises(OutputRefused, match=r"fig05\.png"):
        publish(build, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_smoke_is_never_published(build, tmp_path):
    (build / "figures/fig05.meta.json").write_text(json.dumps({"profile": "smoke"}))
    with pytest.raises(OutputRefused, match="smoke"):
        publish(build, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_of_objects_in_other_looks_than_in_the_trials_are_named(build):
    assert other_looks(build / "figures") == {}
    (build / "figures/fig06.meta.json").write_text(json.dumps({"profile": "laptop", "ycb_models": "textured"}))
    assert other_looks(build / "figures") == {"fig06": "textured"}


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ([], "figures"),
        (["--profile", "published:laptop"], "figures"),
        (["--seed", "1"], "figures/laptop/seed-1"),
        (["--profile", "published:wide"], "figures/wide/seed-0"),
        (["--profile", "published:wide", "--folder", "there"], "there"),
    ],
)
def test_experiments_do_not_write_over_each_other_s_figures(build, tmp_path, monkeypatch, capsys, options, folder):
    for name, seed in (("laptop", 0), ("laptop", 1), ("wide", 0)):
        stated = tmp_path / "runs" / name / f"seed-{seed}" / "profile.json"
        stated.parent.mkdir(parents=True)
        profile = load_profile("laptop").model_dump(mode="json")
        stated.write_text(json.dumps({"profile": profile, "seed": seed}))
    monkeypatch.setattr(store, "PUBLISHED", tmp_path / "runs")
    monkeypatch.setattr(chain, "bring_up_to_date", lambda *_: 0)
    monkeypatch.setattr(executed, "keep_executed", lambda *_: [])
    monkeypatch.chdir(tmp_path)
    assert main(["figures", "--build", str(build), *options]) == 0
    assert (tmp_path / folder / "tab01.json").read_text() == "tab01"
    assert len(list(tmp_path.rglob("tab01.json"))) == 2, "those of the build, and their copies"
    assert f"files in {folder}\n" in capsys.readouterr().out


def test_some_outputs_are_made_and_copied_alone(build, tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(Studio, "make", lambda self, id: made.append(id))
    monkeypatch.setattr(chain, "bring_up_to_date", lambda *_: pytest.fail("notebooks are not run"))
    monkeypatch.chdir(tmp_path)
    options = ["--build", str(build), "--folder", "there"]
    assert main(["figures", *options, "--only", "tab01", "fig04"]) == 0
    assert made == ["tab01", "fig04"]
    assert {path.name.partition(".")[0] for path in (tmp_path / "there").iterdir()} == {"tab01", "fig04"}
    assert main(["figures", *options, "--only", "tab1"]) != 0
    assert "unknown figure or table 'tab1'; there are: climb, " in capsys.readouterr().err


def test_some_notebooks_are_run_and_kept_with_what_they_make(build, tmp_path, monkeypatch, capsys):
    ran, kept = [], []
    monkeypatch.setattr(chain, "bring_up_to_date", lambda chain, names: ran.append(list(names)))
    monkeypatch.setattr(executed, "keep_executed", lambda paths, folder: kept.extend(p.stem for p in paths) or kept)
    monkeypatch.setattr("dgrasp.cli.figures.write_readme", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    options = ["--build", str(build)]
    assert main(["figures", *options, "--notebooks", "02", "08_beyond"]) == 0
    assert ran == [["02", "08_beyond"]] and kept == ["02_nerf_transfer", "08_beyond"]
    made = {entry.id for entry in OUTPUTS if entry.notebook == "02_nerf_transfer"}
    assert made and {path.name.partition(".")[0] for path in (tmp_path / "figures").iterdir()} == made
    assert main(["figures", *options, "--notebooks", "99"]) != 0
    assert main(["figures", *options, "--notebooks", "02", "--only", "tab01"]) != 0
    err = capsys.readouterr().err
    assert "no notebook begins with '99'" in err and "--only and --notebooks: outputs without notebooks, or" in err
