import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dgrasp.report.captions import caption, templates
from dgrasp.report.names import seeds_label
from dgrasp.report.outputs import Drawn, OutputRefused, save_output, use_style, watermark
from dgrasp.report.registry import OUTPUTS, output
from dgrasp.report.tables.printing import as_latex, as_markdown
from dgrasp.sim.objects.ycb import ycb_models

FACTS = {"walkers": 200, "main": "1%", "both": "91%", "seed": 0}
PRINTED = pd.DataFrame({"policy": ["Base & co", "dGrasp"], "simple": ["0.9", "1.0 *"]})


def draw(scale=1.0):
    use_style()
    figure, ax = plt.subplots()
    ax.plot([0, 1], [0, scale])
    return figure


def save(folder, profile="smoke", scale=1.0):
    data = pd.DataFrame({"x": [0, 1], "y": [0.0, scale]})
    save_output("plane", Drawn(draw(scale), data, facts=FACTS), folder, profile=profile, seed=0)


def save_table(folder, profile="smoke", **more):
    drawn = Drawn(
        None, pd.DataFrame({"x": [0, 1]}), facts={"arms": "no arm has", "probed": "no scene"}, printed=PRINTED, **more
    )
    save_output("ablations", drawn, folder, profile=profile, seed=0)


def test_an_output_has_all_its_files_and_a_sidecar_that_explains_it(tmp_path):
    save(tmp_path)
    for suffix in output("plane").suffixes:
        assert (tmp_path / f"plane.{suffix}").stat().st_size > 0
    sidecar = json.loads((tmp_path / "plane.meta.json").read_text())
    assert sidecar["profile"] == "smoke" and sidecar["seed"] == 0 and sidecar["paper_place"] is None
    assert pd.read_csv(tmp_path / "plane.csv")["y"].tolist() == [0.0, 1.0]


def test_a_caption_is_filled_with_what_was_found_and_lies_beside_the_figure(tmp_path):
    save(tmp_path)
    said = json.loads((tmp_path / "plane.caption.json").read_text())
    assert "Of 200 walkers 1% (main loss only) and 91% (both losses)" in said["caption"]
    assert said["title"] == output("plane").title and said["alt_text"] == output("plane").alt_text
    with pytest.raises(ValueError, match=r"plane: its caption .* asks for 'both'; facts: walkers, main"):
        caption("plane", {"walkers": 1, "main": "1%"})


def test_a_title_may_say_what_stands_behind_a_table():
    facts = dict.fromkeys(("behind", "confidence", "n", "policies", "looks"), "-")
    facts |= {"training": "the simple task alone", "seeds": seeds_label([0, 1])}
    title = "Grasp success rates in the simulated tasks, trained on the simple task alone, training seeds 0, 1"
    assert caption("tab01", facts)["title"] == title
    with pytest.raises(ValueError, match="asks for 'training'"):
        caption("tab01", {name: fact for name, fact in facts.items() if name != "training"})


def test_every_output_has_a_caption():
    assert set(templates()) == {entry.id for entry in OUTPUTS}


def test_looks_are_those_of_the_trials_where_trials_were_recorded_elsewhere(tmp_path):
    save_table(tmp_path, ycb_appearance="as recorded")
    assert json.loads((tmp_path / "ablations.meta.json").read_text())["ycb_models"] == "as recorded"
    save(tmp_path)
    assert json.loads((tmp_path / "plane.meta.json").read_text())["ycb_models"] == ycb_models()


def test_equal_content_is_equal_bytes_and_other_content_is_not(tmp_path):
    for name, scale in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
        save(tmp_path / name, scale=scale)
    for suffix in ("png", "pdf", "csv"):
        a, b, c = ((tmp_path / name / f"plane.{suffix}").read_bytes() for name in "abc")
        assert a == b != c, suffix


def test_tables_are_rows_markdown_and_latex_with_the_best_in_bold(tmp_path):
    save_table(tmp_path)
    assert json.loads((tmp_path / "ablations.json").read_text())[1] == {"x": 1}
    page = (tmp_path / "ablations.md").read_text()
    assert "| dGrasp | **1.0** |" in page and "profile: smoke" in page and "no arm has" in " ".join(page.split())
    assert all(len(line) < 120 for line in page.rpartition("|\n\n")[2].splitlines()), "the caption"
    assert (tmp_path / "ablations.tex").read_text() == "% profile: smoke\n" + as_latex(PRINTED)
    assert r"Base \& co & 0.9 \\" in as_latex(PRINTED) and r"dGrasp & \textbf{1.0} \\" in as_latex(PRINTED)
    assert as_markdown(PRINTED).splitlines()[0] == "| policy | simple |"
    with pytest.raises(ValueError, match="ablations: a table needs what is printed of it"):
        save_output(
            "ablations", Drawn(None, PRINTED, facts={"arms": "", "probed": ""}), tmp_path, profile="laptop", seed=0
        )


def test_an_animation_shows_all_its_frames(tmp_path):
    frames = [Image.fromarray(np.full((8, 8, 3), 40 * k, dtype=np.uint8)) for k in range(3)]
    facts = dict.fromkeys(("of", "scene", "starts", "shown", "begin", "networks"), 1)
    facts |= {f"{m}_{what}": "no" for m in ("base", "dgrasp") for what in ("at", "ended")}
    drawn = Drawn(draw(), PRINTED, facts=facts, frames=frames, milliseconds=[100, 200, 300])
    save_output("climb", drawn, tmp_path, profile="laptop", seed=0)
    with Image.open(tmp_path / "climb.gif") as shown:
        assert shown.n_frames == 3 and shown.size == (8, 8)
    with pytest.raises(ValueError, match=r"climb\.gif: an animation needs frames"):
        save_output("climb", Drawn(draw(), PRINTED, facts=facts), tmp_path, profile="laptop", seed=0)


def test_smoke_is_watermarked_and_laptop_is_not(tmp_path):
    save(tmp_path / "smoke", "smoke")
    save(tmp_path / "laptop", "laptop")
    assert (tmp_path / "smoke/plane.png").read_bytes() != (tmp_path / "laptop/plane.png").read_bytes()
    figure = draw()
    watermark(figure, "profile: smoke")
    assert [t.get_text() for t in figure.texts if t.get_gid() == "watermark"] == ["profile: smoke"]


def test_smoke_is_refused_in_the_published_folder(tmp_path):
    (tmp_path / "Makefile").touch()
    with pytest.raises(OutputRefused, match="smoke"):
        save(tmp_path / "figures", "smoke")
    assert not (tmp_path / "figures").exists()
    save(tmp_path / "figures", "laptop")
