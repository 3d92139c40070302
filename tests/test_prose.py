"""What pages and settings look like as text, and that they name what exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

LONGEST = 119  # characters of a line
GENERATED = ("figures/runs", "figures/beyond")
DATED = ("CHANGELOG.md", "EXPERIMENT_LOG.md")  # name what was there at the time
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?<![\w./-])(?:dgrasp|tests|tools|benchmarks|docs|notebooks|\.github)/[\w./-]*\w")
NAME = re.compile(r"(?<![\w./-])dgrasp(?:\.\w+)+")
PRIVATE = re.compile(
    r"\bon record\b|\brun-?off\b|\bat every door\b|\blooks of\b|\bapart in\b|\*\*Box\.\*\*", re.IGNORECASE
)


def written(root: Path, *patterns: str) -> list[Path]:
    """Files that people write, not those that commands make."""
    found = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    found = [path for path in found if not path.with_suffix(".meta.json").is_file()]  # tables
    return [path for path in found if not path.relative_to(root).as_posix().startswith(GENERATED)]


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    """Text of the pages in Markdown, by name."""
    paths = written(root, "*.md", "docs/*.md", "figures/*.md")
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def too_long(text: str) -> list[int]:
    """Numbers of the lines above 119 characters that could be broken: no rows of a table, no addresses."""
    lines = enumerate(text.splitlines(), start=1)
    return [i for i, line in lines if len(line) > LONGEST and not line.lstrip().startswith("|") and " " in line.strip()]


def test_lines_of_prose_are_below_120_characters(pages):
    assert "README.md" in pages and len(pages) > 15
    found = {name: lines for name, text in pages.items() if (lines := too_long(text))}
    assert not found


def test_lines_of_settings_are_below_120_characters(root):
    paths = written(root, "dgrasp/**/*.yaml", "tests/**/*.yaml")
    assert len(paths) > 10
    found = {path.name: lines for path in paths if (lines := too_long(path.read_text(encoding="utf-8")))}
    assert not found


def test_what_may_be_long():
    assert too_long("a " * 60) == [1] and too_long("x\n" + "a " * 60) == [2]
    assert (
        too_long("a " * 59) == [] and too_long("| " + "a " * 60) == [] and too_long("https://a.org/" + "a" * 120) == []
    )


def missing(text: str, root: Path) -> list[str]:
    """Files and names of the package in a page's code that are not there."""
    code = [piece for piece in CODE.findall(text) if not re.search(r"[<{*]|NN_", piece)]
    lost = [name for piece in code for name in FILE.findall(piece) if not (root / name).exists()]
    return lost + [name for piece in code for name in NAME.findall(piece) if not exists(name, root)]


def exists(name: str, root: Path) -> bool:
    """Whether a module, or what is named in one, is there; `dgrasp.example` in a file's name counts."""
    head, *rest = name.split(".")
    for depth in range(len(rest), -1, -1):
        module = ".".join([head, *rest[:depth]])
        place = root.joinpath(*module.split("."))
        if place.with_suffix(".py").is_file() or place.is_dir():
            return depth == len(rest) or hasattr(import_module(module), rest[depth])
    return False


def test_pages_name_files_and_modules_that_exist(pages, root):
    found = {name: lost for name, text in pages.items() if name not in DATED and (lost := missing(text, root))}
    assert not found


def test_names_that_are_not_there_would_be_found(root):
    assert missing("`dgrasp/sim/config.py` and `dgrasp.sim.Cells`, `dgrasp.poses.no.such`", root) == [
        "dgrasp/sim/config.py", "dgrasp.sim.Cells", "dgrasp.poses.no.such",
    ]  # fmt: skip
    assert missing("`dgrasp/cell/config.py`, `dgrasp.sim.Cell`, `notebooks/NN_name.py`, `dgrasp/*.yaml`", root) == []


def test_pages_speak_plainly(pages, root):
    """Words of our own that a reader does not know."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in written(root, "notebooks/*.py")}
    sources |= {path.name: path.read_text(encoding="utf-8") for path in written(root, "dgrasp/report/*.yaml")}
    found = {name: words for name, text in (pages | sources).items() if (words := PRIVATE.findall(text))}
    assert not found


@pytest.mark.parametrize(
    "source", sorted((Path(__file__).parents[1] / "notebooks").glob("0*.py")), ids=lambda p: p.stem
)
def test_every_notebook_asks_lets_guess_answers_and_is_tried(source):
    text = " ".join(source.read_text(encoding="utf-8").replace("\n# > ", " ").replace("\n# ", " ").split())
    head, _, end = text.partition("## What we saw")
    assert text.count("**Question.**") == text.count("**At a glance.**") == 1
    assert "**Before you look" in head and end, "a guess before the pictures, an answer at the end"
    saw, _, tried = end.partition("## Try it")
    assert "print(" in saw, "the answer is worked out"
    before, _, _ = tried.partition("versions()")
    assert "xpect" in before and before.count("%%") >= 2, "a cell to edit, and what to expect of it"
