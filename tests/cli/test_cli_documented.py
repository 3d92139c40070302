"""Every command that a page, a notebook or a message names is one that there is."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from dgrasp.cli import main as cli
from dgrasp.cli.options import PUBLISHED
from dgrasp.experiment.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"),
    *ROOT.glob("notebooks/*.py"), *ROOT.glob("dgrasp/**/*.py"), ROOT / "Makefile", ROOT / ".ci/run",
    *ROOT.glob(".github/workflows/*.yml"),
]  # fmt: skip
HISTORY = {"CHANGELOG.md"}  # which names what is gone
SUBCOMMANDS = next(action.choices for action in cli._parser()._actions if action.dest == "command")
NAMES = "|".join(SUBCOMMANDS)
CALL = re.compile(rf"(?:(?<=`)|(?<=bin/)|^[# ]*)dgrasp ((?:{NAMES})\b[^`\n#|;]*)", re.MULTILINE)
GONE = re.compile(r"python -m dgrasp\.|dgrasp\.(?:records|notebooks|report figures)\b|make (?:record|fresh|seeds)\b")


@cache
def commands(path: Path) -> list[str]:
    return [re.split(r"\s{2}|\"|, |\)", call)[0].strip() for call in CALL.findall(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", [p for p in PAGES if commands(p)], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_are_understood(path: Path) -> None:
    for command in commands(path):
        name, *arguments = shlex.split(command.replace("<stem>", "stem"))
        if not arguments or "..." in command or not any(a.isupper() or a[0] == "-" for a in arguments):
            continue  # the name of a command in a sentence
        given = [argument.strip("[]") for argument in arguments]
        assert cli._parser().parse_args([name, *given]).command == name, command


def test_the_pages_that_explain_commands_are_found() -> None:
    found = {path.name for path in PAGES if commands(path)}
    assert {
        "README.md",
        "REPRODUCING.md",
        "OWN_IMAGES.md",
        "OWN_DEMONSTRATIONS.md",
        "OWN_CELL.md",
        "CONTRIBUTING.md",
    } <= found
    assert len({command.split()[0] for path in PAGES for command in commands(path)}) > 8


def test_no_page_names_what_is_gone() -> None:
    found = {p.relative_to(ROOT).as_posix(): GONE.findall(p.read_text(encoding="utf-8")) for p in PAGES}
    assert {name: gone for name, gone in found.items() if gone and name not in HISTORY} == {}


def test_targets_of_make_that_pages_name_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {t for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE) for t in line.split()}
    pages = [p for p in PAGES if p.suffix in (".md", ".yml") and p.name not in HISTORY]
    made = re.compile(r"(?:`|^|run: )make ([a-z][a-z-]*)\b", re.MULTILINE)
    named = {page.name: set(made.findall(page.read_text(encoding="utf-8"))) for page in pages}
    assert {"test", "lint", "reproduce"} <= named["CONTRIBUTING.md"]
    assert {page: names - targets for page, names in named.items() if names - targets} == {}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_explains_every_argument(name: str) -> None:
    """Of a first reader: no argument without a word, no profile that is not named."""
    silent = [action.dest for action in SUBCOMMANDS[name]._actions if not action.help]
    assert silent == [], name
    of_profile = "".join(action.help for action in SUBCOMMANDS[name]._actions if action.dest == "profile")
    if of_profile.startswith("how much to compute: "):
        assert all(known in of_profile for known in (*PROFILES, PUBLISHED)), name
