import json

import pytest

from dgrasp.report.outputs import OutputRefused
from dgrasp.report.publish import other_looks, publish
from dgrasp.report.registry import OUTPUTS


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
