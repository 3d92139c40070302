"""The pieces that the site is made of: Markdown, figures, notebooks that are executed and that are not."""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dgrasp.cli import site
from dgrasp.experiment.profiles import load_profile
from dgrasp.experiment.store import DEFAULT
from dgrasp.files import sha256
from dgrasp.report.executed import EXECUTED, at_web_size, cells_digest, keep_executed, why_stale
from dgrasp.report.outputs import OutputRefused
from dgrasp.report.registry import OUTPUTS
from dgrasp.report.site import build
from dgrasp.report.site.differences import differences
from dgrasp.report.site.gallery import gallery
from dgrasp.report.site.learn import NEEDS_KERNEL, Lesson, lessons_table
from dgrasp.report.site.markdown import linked, table
from dgrasp.report.site.results import ablations
from dgrasp.report.web_pictures import web_picture, web_png

SOURCE = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. A page
#
# **Question.** Is it
# shown?
#
# More.

# %% tags=["parameters"]
profile = "published"

# %% [markdown]
# ## A picture

# %%
save_output("fig03", figure)
"""


def png(width: int = 40, noisy: bool = False) -> bytes:
    pixels = np.zeros((30, width, 3), np.uint8)
    if noisy:
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format="png")
    return target.getvalue()


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A notebook's source, beside figures; not executed."""
    source = tmp_path / "01_page.py"
    source.write_text(SOURCE)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "fig03.csv").write_text("a\n1\n")
    return Lesson(source, tmp_path / "executed" / "01_page.ipynb", tmp_path / "figures")


def executed(lesson: Lesson, **changes: object) -> dict:
    """What the runner leaves of it, as JSON."""
    notebook = lesson.text
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = {"image/png": base64.b64encode(png(3000)).decode(), "application/vnd.jupyter.widget-view+json": {}}
    code[-1].outputs = [nbformat.v4.new_output("display_data", data=shown)]
    injected = nbformat.v4.new_code_cell('build = "/somewhere/of/mine"')
    injected.metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(2, injected)
    made = {
        "inputs": {"cells": cells_digest(lesson.text)},
        "outputs": {"fig03.csv": sha256(lesson.figures / "fig03.csv"), "fig03.meta.json": "any"},
        "made_by": {"commit": "c0ffee"},
    } | changes
    notebook.metadata |= {
        "dgrasp": made,
        "papermill": {"parameters": {"profile": "published"}},
        "language_info": {"name": "python"},
    }
    return json.loads(nbformat.writes(notebook))


def keep(lesson: Lesson, **changes: object) -> None:
    full = lesson.source.parent / "full" / lesson.executed.name
    full.parent.mkdir(exist_ok=True)
    full.write_text(json.dumps(executed(lesson, **changes)))
    keep_executed([full], lesson.executed.parent)


def test_tables_are_markdown_with_bold_cells_and_empty_ones():
    frame = pd.DataFrame({"a": ["x *", "p|q"], "b": [1, None]}, dtype=object)
    assert table(frame).splitlines() == ["| a | b |", "| --- | --- |", "| **x** | 1 |", "| p\\|q |  |"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[words](OWN.md#top)", "[words](/own.md#top)"),
        ("[words](other.md)", "words (`other.md`)"),
        ("[words](https://a.org/x)", "[words](https://a.org/x)"),
        ("[words](#here)", "[words](#here)"),
    ],
)
def test_links_of_the_repository_lead_to_pages(text, expected):
    assert linked(text, {"OWN.md": "/own.md"}) == expected
    assert linked(text, {"OWN.md": "/own.md"}, anchors=False) == expected.replace("/own.md#top", "/own.md")


def test_pictures_are_made_smaller_and_never_larger(tmp_path):
    (tmp_path / "a.png").write_bytes(png(3000))
    small = web_picture(tmp_path / "a.png", tmp_path / "web" / "a.png")
    with Image.open(small) as picture:
        assert picture.format == "WEBP" and picture.width == 1500
    assert web_png(png(20)) == png(20) or len(web_png(png(20))) < len(png(20))
    assert len(web_png(png(40, noisy=True))) <= len(png(40, noisy=True))


def test_a_kept_notebook_is_light_and_names_no_folder(lesson):
    kept = at_web_size(executed(lesson))
    text = json.dumps(kept)
    assert "/somewhere/of/mine" not in text and "widget-view" not in text
    data = kept["cells"][-1]["outputs"][0]["data"]["image/png"]
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.width == 1200
    assert kept["metadata"]["dgrasp"]["outputs"].keys() == {"fig03.csv"}, "sidecars name commits and seconds"
    nbformat.validate(nbformat.from_dict(kept))


def test_of_a_widget_that_needs_a_kernel_nothing_is_kept(lesson):
    notebook = executed(lesson)
    shown = {"text/plain": "VBox(children=...", "application/vnd.jupyter.widget-view+json": {}}
    said = nbformat.v4.new_output("execute_result", data={"text/plain": "a line"}, execution_count=1)
    notebook["cells"][-1]["outputs"] = [nbformat.v4.new_output("display_data", data=shown), said]
    (left,) = at_web_size(notebook)["cells"][-1]["outputs"]
    assert left["data"] == {"text/plain": "a line"}


def test_what_makes_a_kept_notebook_stale(lesson):
    def reason() -> str | None:
        return why_stale(lesson.source, lesson.executed, lesson.figures)

    assert reason() == "not executed yet"
    keep(lesson)
    assert reason() is None
    lesson.source.write_text(SOURCE.replace("display_name: Python 3", "display_name: Another"))
    assert reason() is None
    lesson.source.write_text(SOURCE.replace("More.", "Less."))
    assert reason() == "its source has changed"
    lesson.source.write_text(SOURCE)
    (lesson.figures / "fig03.csv").write_text("a\n2\n")
    assert reason() == "shows another fig03.csv than figures/"
    lesson.executed.write_text("{}")
    assert reason() == "damaged, or not made by `make figures`"
    assert "has not been executed" in lesson.page().cells[0].source


def test_a_notebook_as_the_runner_left_it_is_shown_as_a_kept_one(lesson):
    keep(lesson)
    kept = lesson.page()
    lesson.executed.write_text(json.dumps(executed(lesson)))
    assert lesson.lacking is None
    ran = lesson.page()
    assert [cell.source for cell in ran.cells] == [cell.source for cell in kept.cells]
    assert len(ran.cells[-1].outputs[0]["data"]["image/png"]) == len(kept.cells[-1].outputs[0]["data"]["image/png"])


def test_a_notebook_that_was_not_executed_says_so_on_its_page(lesson):
    page = lesson.page()
    assert "has not been executed" in page.cells[0].source and page.cells[0].source.startswith("# 1. A page\n")
    assert not any(cell.get("outputs") for cell in page.cells)
    assert "| Is it shown? |" in lessons_table([lesson]) and "not executed yet" in lessons_table([lesson])


def test_an_executed_one_is_shown_with_folded_code_and_described_pictures(lesson):
    keep(lesson)
    page = lesson.page()
    assert "executed" not in page.cells[0].source
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    assert all("hide-input" in cell.metadata["tags"] for cell in code)
    alt = next(o.alt_text for o in OUTPUTS if o.id == "fig03")
    assert code[-1].metadata["mystnb"]["image"]["alt"] == alt
    assert "| outputs |" not in lessons_table([lesson])
    lesson.source.write_text(SOURCE.replace("More.", "Less."))
    assert "its source has changed" in lesson.page().cells[0].source, "old outputs are not passed off as new"


def test_behind_controls_that_need_a_kernel_stands_where_to_play(lesson):
    lesson.source.write_text(SOURCE + "\n# %%\nPlayWidget(supply)\n\n# %%\nwidget = 1\n")
    assert [NEEDS_KERNEL in cell.source for cell in lesson.page().cells[-3:]] == [False, True, False]


@pytest.mark.parametrize("profile", ["published", f"published:{DEFAULT}"])
def test_the_main_experiment_has_its_executed_notebooks_by_either_name(monkeypatch, tmp_path, profile):
    class Asked(Exception):
        pass

    def sources(experiment, figures, notebooks):
        raise Asked(figures, notebooks)

    monkeypatch.setattr(build, "Sources", sources)
    options = argparse.Namespace(profile=profile, seed=0, build=tmp_path / "build", folder=tmp_path / "site")
    with pytest.raises(Asked) as asked:
        site.run(options)
    assert asked.value.args == (Path("figures"), EXECUTED)


@pytest.mark.parametrize("source", sorted(Path(build.ROOT, "notebooks").glob("[0-9]*.py")), ids=lambda p: p.stem)
def test_kept_notebooks_are_those_of_their_sources_and_figures(source, root):
    kept = root / EXECUTED / f"{source.stem}.ipynb"
    if not kept.is_file():
        pytest.skip("not executed for the published results yet: `make figures`")
    assert why_stale(source, kept, root / "figures") is None
    assert str(root) not in kept.read_text(encoding="utf-8")


def test_kept_notebooks_are_light(root):
    kept = list((root / EXECUTED).glob("*.ipynb"))
    assert {path.stem for path in kept} <= {path.stem for path in (root / "notebooks").glob("*.py")}
    assert sum(path.stat().st_size for path in kept) <= 12e6


def test_differences_are_those_of_the_list():
    pieces = differences(load_profile("laptop"))
    assert "`value.steps`" in pieces["different"] and "`value.steps`" not in pieces["same"]
    assert "ReLU before the last layer" in pieces["not_copied"]
    rows = re.findall(r"^\| `", pieces["different"] + pieces["same"], re.MULTILINE)
    assert f"Of {len(rows)} choices" in pieces["counts"]
    assert "two cores" in pieces["different"] and "set by profile laptop" not in pieces["different"]
    assert "two cores" not in differences(load_profile("smoke"))["different"], "those are reasons of profile laptop"


def test_every_figure_is_in_the_gallery_with_data_and_alternative_text(root, tmp_path):
    (tmp_path / "figures").mkdir()
    text = gallery(root / "figures", tmp_path)
    assert text.index("(fig07)=") < text.index("(climb)="), "the paper's before our own"
    for entry in (o for o in OUTPUTS if o.kind == "figure"):
        assert f"({entry.id})=" in text and f"[Data (CSV)](/figures/{entry.id}.csv)" in text
    assert text.count(":alt: ") == text.count(":::{figure}") and ":alt: \n" not in text
    assert sum(path.stat().st_size for path in (tmp_path / "figures").glob("*.webp")) < 2.5e6, "a page of 3 MB"


def test_ablations_are_answers_or_said_to_be_missing(tmp_path):
    path = tmp_path / "ablation_differences.json"
    path.write_text("[]")
    assert ablations(tmp_path).startswith("None of the ")
    row = {"question": "poses", "arm": "a", "against": "b", "task": "clutter", "difference": 0.1, "low": 0.0}
    row |= {"expects": "lower", "seeds": 1}
    path.write_text(json.dumps([row | {"high": 0.2, "p_holm": 0.01, "verdict": "agrees"}]))
    assert ablations(tmp_path).startswith("- ") and "In clutter, a lifts 0.10 more than b" in ablations(tmp_path)


def test_a_new_site_takes_the_place_of_the_old_one_and_leaves_nothing_else(tmp_path, monkeypatch):
    def sphinx(source: Path, folder: Path) -> tuple[str, ...]:
        (folder.parent / "jupyter_execute").mkdir(parents=True)
        folder.mkdir()
        (folder / "index.html").write_text("new")
        return ()

    monkeypatch.setattr(build, "run_sphinx", sphinx)
    monkeypatch.setattr(build, "stage", lambda sources, apps, staging: staging.mkdir())
    site = tmp_path / "site"
    site.mkdir()
    for name in ("old.html", build.MARKER):
        (site / name).touch()
    sources = SimpleNamespace(check=lambda: None, lessons=[])
    assert build.build_site(sources, None, site).folder == site
    assert {path.name for path in site.iterdir()} == {"index.html", build.MARKER, ".nojekyll"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_of_somebody_is_not_emptied(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputRefused, match="holds something else than a site"):
        build.check_folder(tmp_path)
    (tmp_path / build.MARKER).touch()
    build.check_folder(tmp_path)
    build.check_folder(tmp_path / "new")


def test_no_page_fetches_anything_from_elsewhere(root):
    """Links lead out; styles, scripts, fonts and pictures do not."""
    pages = [p for p in (root / "docs").rglob("*") if p.suffix in (".md", ".css", ".js", ".svg", ".py")]
    assert {".md", ".css", ".py"} <= {page.suffix for page in pages}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:src=|url\(|import\s*\(?|@import)\s*[\"']?(?:https?:)?//", text), path.name


def test_examples_of_the_api_page_run(root, monkeypatch, tmp_path):
    text = (root / "docs" / "api.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code, "api.md", "exec"), names)
    assert names["found"].scores.shape == (64,) and names["policy"].spec.name == "dgrasp_quat_sync"


def test_code_of_the_lab_guide_names_what_exists(root):
    text = (root / "docs" / "lab_guide.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    compile(code, "lab_guide.md", "exec")
    exec("\n".join(re.findall(r"^(?:from|import) .*$", code, re.MULTILINE)), {})
    assert {"calibrate(", "open_cell(", "run_trials("} <= set(re.findall(r"\w+\(", code))
