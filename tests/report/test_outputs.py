import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from dgrasp.report.outputs import OutputRefused, save_output, use_style, watermark
from dgrasp.report.registry import output
from dgrasp.sim.objects.ycb import ycb_models


def draw(scale=1.0):
    use_style()
    figure, ax = plt.subplots()
    ax.plot([0, 1], [0, scale])
    return figure


def save(folder, profile="smoke", scale=1.0, id="fig04"):
    data = pd.DataFrame({"x": [0, 1], "y": [0.0, scale]})
    save_output(id, draw(scale), data, folder, profile=profile, runs={}, seed=0)


def test_an_output_has_all_its_files_and_a_sidecar_that_explains_it(tmp_path):
    save(tmp_path)
    for suffix in output("fig04").suffixes:
        assert (tmp_path / f"fig04.{suffix}").stat().st_size > 0
    sidecar = json.loads((tmp_path / "fig04.meta.json").read_text())
    assert sidecar["profile"] == "smoke" and sidecar["seed"] == 0 and sidecar["paper_place"] == "Figure 4"
    assert pd.read_csv(tmp_path / "fig04.csv")["y"].tolist() == [0.0, 1.0]


def test_looks_are_those_of_the_trials_where_trials_were_recorded_elsewhere(tmp_path):
    data = pd.DataFrame({"x": [0, 1]})
    save_output("tab01", draw(), data, tmp_path, profile="smoke", runs={}, seed=0, ycb_appearance="as recorded")
    assert json.loads((tmp_path / "tab01.meta.json").read_text())["ycb_models"] == "as recorded"
    save(tmp_path)
    assert json.loads((tmp_path / "fig04.meta.json").read_text())["ycb_models"] == ycb_models()


@pytest.mark.parametrize("suffix", ["png", "pdf", "csv"])
def test_equal_content_is_equal_bytes_and_other_content_is_not(tmp_path, suffix):
    for name, scale in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
        save(tmp_path / name, scale=scale)
    a, b, c = ((tmp_path / name / f"fig04.{suffix}").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_tables_have_rows_as_json(tmp_path):
    save(tmp_path, id="tab01")
    assert json.loads((tmp_path / "tab01.json").read_text())[1] == {"x": 1, "y": 1.0}


def test_smoke_is_watermarked_and_laptop_is_not(tmp_path):
    save(tmp_path / "smoke", "smoke")
    save(tmp_path / "laptop", "laptop")
    assert (tmp_path / "smoke/fig04.png").read_bytes() != (tmp_path / "laptop/fig04.png").read_bytes()
    figure = draw()
    watermark(figure, "profile: smoke")
    assert [t.get_text() for t in figure.texts if t.get_gid() == "watermark"] == ["profile: smoke"]


def test_smoke_is_refused_in_the_published_folder(tmp_path):
    (tmp_path / "Makefile").touch()
    with pytest.raises(OutputRefused, match="smoke"):
        save(tmp_path / "figures", "smoke")
    assert not (tmp_path / "figures").exists()
    save(tmp_path / "figures", "laptop")
