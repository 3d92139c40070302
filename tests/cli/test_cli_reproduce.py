"""What `dgrasp reproduce` runs: the one rule that decides what is stale, tried with notebooks that run at once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from dgrasp.cli.main import main
from dgrasp.cli.notebooks import chain as chain_module
from dgrasp.cli.notebooks import runner, stale
from dgrasp.cli.notebooks.chain import Chain, bring_up_to_date
from dgrasp.cli.notebooks.source import NotebookError, NotebookRefused
from dgrasp.experiment.profiles import load_profile
from dgrasp.files import write_json
from dgrasp.report.registry import Output

SOURCE = """\
# ---
# jupyter:
#   kernelspec: {{display_name: Python 3, language: python, name: python3}}
# ---

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
{code}
"""
STEMS = ["00_first", "01_second", "02_third", "03_fourth"]
MAKES = {"00_first": ["a"], "01_second": ["b", "c"], "03_fourth": ["d"]}  # 02 leaves no figure


def entry(stem: str, id: str) -> Output:
    return Output(id=id, kind="figure", paper_place=None, title="", notebook=stem, alt_text="", status="ours")


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """Stems of the notebooks that were run. Each `draws` what its second cell says, in place of a kernel."""
    ran: list[str] = []

    def execute(notebook, job, parameters) -> None:
        stem = job.source.stem
        ran.append(stem)
        code = notebook.cells[-1].source
        if "fails" in code:
            write_json(job.partial, {"cells": []})
            raise NotebookError(f"{job.source}: cell 2 of 2 failed")
        for id in MAKES.get(stem, ()):
            for suffix in ("png", "pdf", "csv", "caption.json", "meta.json"):
                file = Path(parameters["build"], "figures", f"{id}.{suffix}")
                file.parent.mkdir(parents=True, exist_ok=True)
                drawn = time.monotonic_ns() if suffix == "meta.json" else f"{id} {code.partition('#')[0].strip()}"
                file.write_text(f"{drawn}")
        cells = [
            {"cell_type": "code", "source": c.source, "outputs": [], "execution_count": 1, "metadata": {}}
            for c in notebook.cells
        ]
        write_json(job.partial, {"cells": cells, "metadata": {"papermill": {}}})

    monkeypatch.setattr(runner, "_execute", execute)
    registry = [entry(stem, id) for stem, ids in MAKES.items() for id in ids]
    monkeypatch.setattr(chain_module, "OUTPUTS", registry)
    monkeypatch.setattr(stale, "outputs_of", lambda stem: [o for o in registry if o.notebook == stem])
    return ran


@pytest.fixture
def chain(tmp_path: Path, ran: list[str]) -> Chain:
    sources = tmp_path / "notebooks"
    sources.mkdir()
    for stem in STEMS:
        (sources / f"{stem}.py").write_text(SOURCE.format(code=f"draw({stem[:2]})"))
    return Chain("smoke", tmp_path / "build", sources=sources)


@pytest.fixture
def built(chain: Chain, ran: list[str]) -> Chain:
    """All of them executed, and up to date."""
    assert bring_up_to_date(chain) == 4
    ran.clear()
    return chain


def edit(chain: Chain, stem: str, old: str, new: str) -> None:
    source = chain.sources / f"{stem}.py"
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))


def test_runs_all_in_order_and_then_none(chain, ran, capsys):
    bring_up_to_date(chain)
    assert ran == STEMS
    bring_up_to_date(chain)
    assert ran == STEMS
    assert capsys.readouterr().err.endswith("".join(f"{stem}: up to date\n" for stem in STEMS))


def test_a_touch_costs_nothing(built, ran):
    for path in [*built.sources.iterdir(), *built.build.rglob("*")]:
        os.utime(path)
    bring_up_to_date(built)
    assert ran == []


@pytest.mark.parametrize("header", ["#   jupytext: {text_representation: {jupytext_version: 9.9.0}}\n", ""])
def test_the_header_and_line_ends_of_a_source_cost_nothing(built, ran, header):
    source = built.sources / "01_second.py"
    text = source.read_text().replace("# jupyter:\n", f"# jupyter:\n{header}")
    source.write_bytes(text.replace("\n", "\r\n").encode())
    bring_up_to_date(built)
    assert ran == []


@pytest.mark.parametrize("suffix", ["png", "pdf", "csv", "caption.json", "meta.json"])
def test_a_deleted_output_is_made_again_by_its_notebook_alone(built, ran, suffix):
    file = built.build / "figures" / f"b.{suffix}"
    before = {path: path.read_bytes() for path in built.build.rglob("*.[pc][ndsv]*")}
    file.unlink()
    bring_up_to_date(built)
    assert ran == ["01_second"]
    assert {path: path.read_bytes() for path in built.build.rglob("*.[pc][ndsv]*")} == before and file.is_file()


@pytest.mark.parametrize("damage", [b"", b"other", b"b draw(01) "])
def test_a_damaged_output_is_made_again(built, ran, damage):
    (built.build / "figures" / "b.png").write_bytes(damage)
    bring_up_to_date(built)
    assert ran == ["01_second"]
    assert (built.build / "figures" / "b.png").read_text() == "b draw(01)"


@pytest.mark.parametrize("page", [None, "", "{}", "[]", '{"cells": [], "metadata": {}}', "\udcff"])
def test_a_missing_or_damaged_page_is_made_again(built, ran, page):
    output = built.build / "notebooks" / "02_third.ipynb"
    good = json.loads(output.read_text())["cells"]
    output.unlink() if page is None else output.write_bytes(page.encode(errors="surrogateescape"))
    bring_up_to_date(built)
    assert ran == ["02_third"]
    assert json.loads(output.read_text())["cells"] == good


def test_an_edited_page_is_made_again(built, ran):
    output = built.build / "notebooks" / "02_third.ipynb"
    output.write_text(output.read_text().replace("draw(02)", "draw(0)"))
    bring_up_to_date(built)
    assert ran == ["02_third"]


def test_an_edit_runs_its_notebook_and_the_next_if_outputs_changed(built, ran):
    edit(built, "00_first", "draw(00)", "draw(00)  # a word")
    bring_up_to_date(built)
    assert ran == ["00_first"], "its figures are the same"
    edit(built, "00_first", "draw(00)", "draw(9)")
    bring_up_to_date(built)
    assert ran == ["00_first", "00_first", "01_second"], "the second's figures are the same"


@pytest.mark.parametrize(
    ("name", "value"), [("_package_digest", "x"), ("_versions", {"torch": "3"}), ("ycb_models", "painted")]
)
def test_what_all_are_made_from_runs_all(built, ran, monkeypatch, name, value):
    monkeypatch.setattr(stale, name, lambda: value)
    bring_up_to_date(built)
    assert ran == STEMS


def test_another_seed_runs_all_and_builds_stand_apart(built, ran, tmp_path):
    bring_up_to_date(Chain("smoke", built.build, seed=1, sources=built.sources))
    assert ran == STEMS
    bring_up_to_date(Chain("smoke", tmp_path / "other", seed=1, sources=built.sources))
    assert ran == STEMS * 2


def test_a_profile_of_one_s_own_counts_by_its_settings(chain, ran, tmp_path):
    path = tmp_path / "mine.yaml"
    own = Chain(str(path), chain.build, sources=chain.sources)
    for text, runs in (
        ("name: mine\nnerf: {training: {steps: 3}}\n", STEMS),
        ("nerf: {training: {steps: 3}}\nname: mine  # as before\nruntime: {workers: 1}\n", []),
        ("name: mine\nnerf: {training: {steps: 4}}\n", STEMS),
    ):
        path.write_text(text)
        stale._settings_digest.cache_clear()
        ran.clear()
        bring_up_to_date(own)
        assert ran == runs, text


def test_other_published_results_run_the_published_profile_alone(built, ran, monkeypatch):
    published = Chain("published", built.build.with_name("published"), sources=built.sources)
    monkeypatch.setattr(stale, "_published_digest", lambda *_: "these")
    bring_up_to_date(published)
    ran.clear()
    bring_up_to_date(published)
    assert ran == []
    monkeypatch.setattr(stale, "_published_digest", lambda *_: "others")
    bring_up_to_date(published)
    assert ran == STEMS
    bring_up_to_date(built)
    assert ran == STEMS


def test_after_a_failure_the_next_run_goes_on_there(built, ran):
    edit(built, "01_second", "draw(01)", "fails")
    edit(built, "03_fourth", "draw(03)", "draw(3)")
    with pytest.raises(NotebookError, match="01_second"):
        bring_up_to_date(built)
    assert ran == ["01_second"]
    assert (built.build / "notebooks" / "01_second.failed.ipynb").is_file()
    edit(built, "01_second", "fails", "draw(01)  # mended")
    bring_up_to_date(built)
    assert ran == ["01_second", "01_second", "03_fourth"]
    assert not (built.build / "notebooks" / "01_second.failed.ipynb").exists()


def test_a_notebook_that_leaves_out_a_figure_has_failed(chain, monkeypatch):
    monkeypatch.setitem(MAKES, "01_second", ["b"])
    with pytest.raises(
        NotebookError, match=r"01_second: ran to its end and left no c.png, c.pdf, c.csv, c.caption.json, c.meta.json"
    ):
        bring_up_to_date(chain)
    assert not (chain.build / "notebooks" / "01_second.ipynb").exists()


def test_one_can_be_chosen_and_forced(chain, ran):
    bring_up_to_date(chain, ["03", "01_second"])
    assert ran == ["01_second", "03_fourth"]
    bring_up_to_date(chain, ["03"])
    assert ran == ["01_second", "03_fourth"]
    bring_up_to_date(chain, ["03"], force=True)
    assert ran == ["01_second", "03_fourth", "03_fourth"]
    with pytest.raises(NotebookRefused, match="no notebook begins with '4'; notebooks: 00_first, 01_second"):
        bring_up_to_date(chain, ["4"])


def test_a_dry_run_says_why_and_runs_nothing(built, ran, capsys):
    (built.build / "figures" / "c.png").unlink()
    edit(built, "02_third", "draw(02)", "draw(2)")
    capsys.readouterr()
    assert bring_up_to_date(built, dry_run=True) == 2
    assert ran == []
    said = capsys.readouterr().err
    assert "01_second: to be run (profile smoke; missing or damaged: c.png)" in said
    assert "02_third: to be run (profile smoke; changed: its source)" in said


def test_a_registered_notebook_that_is_gone_is_named(chain):
    (chain.sources / "01_second.py").unlink()
    with pytest.raises(NotebookRefused, match=r"no 01_second.py there"):
        bring_up_to_date(chain)


# --- the digests ------------------------------------------------------------------------------------------------------


def digest() -> str:
    stale._package_digest.cache_clear()
    try:
        return stale._package_digest()
    finally:
        stale._package_digest.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """A package in the place of dgrasp's; of its code the names count here, not what stands in it."""
    folder = tmp_path / "elsewhere" / "dgrasp"
    for name in ("nerf/__init__.py", "nerf/model.py", "cli/__init__.py", "experiment/profiles/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(stale, "PACKAGE", folder)
    monkeypatch.setattr(stale, "code_of", lambda names: dict.fromkeys(names, "as it is"))
    return folder


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("nerf/more.py", True),
        ("cli/doctor.py", False),
        ("__main__.py", False),
        ("report.mplstyle", True),
        ("nerf/facts.json", True),
        ("nerf/facts.yaml", True),
        ("nerf/facts.txt", False),
        ("experiment/profiles/paper.yaml", False),
    ],
)
def test_what_of_the_package_counts(package, file, counts):
    before = digest()
    (package / file).write_text("{}")
    assert (digest() != before) is counts


def test_code_counts_by_its_syntax(monkeypatch):
    asked = []
    monkeypatch.setattr(stale, "code_of", lambda names: asked.extend(names) or {})
    digest()
    assert {"dgrasp.streams", "dgrasp.nerf.model", "dgrasp.slopes"} <= set(asked)
    assert not any(name.startswith("dgrasp.cli") for name in asked)
    monkeypatch.undo()
    assert stale.code_of(["dgrasp.nerf.model"])["dgrasp.nerf.model"]


def test_versions_are_those_of_the_direct_requirements():
    versions = stale._versions()
    assert {"python", "torch", "numpy", "papermill"} <= versions.keys()
    assert not {"ruff", "pytest", "mypy"} & versions.keys()


def test_versions_without_a_repository_are_those_that_the_package_asks_for(package, monkeypatch):
    asked = ["torch>=2.9", 'papermill>=2; extra == "notebooks"', 'ruff; extra == "dev"']
    monkeypatch.setattr(stale.importlib.metadata, "requires", lambda _: asked)
    stale._versions.cache_clear()
    try:
        assert stale._versions().keys() == {"python", "torch", "papermill"}
    finally:
        stale._versions.cache_clear()


def test_settings_of_who_computes_do_not_count(tmp_path):
    def digest_of(**runtime: object) -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(json.dumps({"name": "mine", "runtime": runtime}))
        stale._settings_digest.cache_clear()
        return stale._settings_digest(str(path))

    assert digest_of(workers=1) == digest_of(workers=3)
    assert load_profile("smoke").runtime != load_profile("paper").runtime


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_runs_the_repository_s_notebooks(chain, ran, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(Chain, "chosen", lambda _, names, chosen=chain.chosen: chosen(names))
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce"]) == 0
    assert ran == STEMS
    assert "is up to date: notebooks/, figures/" in capsys.readouterr().out
    assert (tmp_path / "build" / "smoke" / "notebooks" / "03_fourth.ipynb").is_file()
    (tmp_path / "build" / "smoke" / "figures" / "d.csv").unlink()
    assert main(["reproduce", "--dry-run"]) == 0
    assert "1 to be run" in capsys.readouterr().out
    assert main(["reproduce", "--only", "03"]) == 0
    assert ran == [*STEMS, "03_fourth"]
