"""What a committed tree must and must not contain."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
import yaml
from test_makefile import variable

# Home folders, temporary folders and mounts of somebody's machine; not addresses on the web, nor /usr/bin/env.
ABSOLUTE = re.compile(r"(?<![\w.~:/})\]>*-])/(?:home|root|Users|work|tmp|opt|mnt|media|srv|scratch)/[\w.]")
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".csv", ".sh", ".cff", ".mplstyle", ".lock", ""}


@pytest.fixture(scope="module")
def tracked(root) -> list[Path]:
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone: what is committed cannot be told from what is built")
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def test_no_absolute_paths(tracked, root):
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in tracked
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if ABSOLUTE.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", ["/home/" + "me/x", 'open("/tmp/' + 'x")', "cd /root/" + "x", "'/Users/" + "me'"])
def test_absolute_paths_would_be_found(line):
    assert ABSOLUTE.search(line)


@pytest.mark.parametrize("line", ["#!/usr/bin/env bash", "../work/x", "build/tmp/x", "https://a.org/home/x", "a/opt/b"])
def test_other_paths_are_left_alone(line):
    assert not ABSOLUTE.search(line)


def test_nothing_built_is_committed(tracked, root):
    built = {".pkl", ".pt", ".pth", ".pyc"}
    assert not [path.relative_to(root) for path in tracked if path.suffix in built or "build" in path.parts[:-1]]
    notebooks = {path.parent.relative_to(root).as_posix() for path in tracked if path.suffix == ".ipynb"}
    assert notebooks <= {"notebooks/executed"}


def test_every_notebook_is_known_to_make(root):
    listed = variable(root, "NOTEBOOKS").split()
    assert listed == sorted(path.stem for path in (root / "notebooks").glob("*.py"))
    assert [name[:2] for name in listed] == [f"{number:02d}" for number in range(len(listed))]


@pytest.mark.parametrize("name", ["test.yml", "weekly.yml"])
def test_workflows_run_the_commands_of_the_readme(root, name):
    jobs = yaml.safe_load((root / ".github" / "workflows" / name).read_text())["jobs"]
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert any(command.startswith("make reproduce") for command in commands)
    assert any(command.startswith("make test") for command in commands)


def test_licences_and_citation_are_there(root):
    assert "MIT License" in (root / "LICENSE").read_text()
    assert "CC BY 4.0" in (root / "LICENSE-figures").read_text()
    cited = yaml.safe_load((root / "CITATION.cff").read_text())["preferred-citation"]
    assert cited["title"].startswith("dGrasp") and len(cited["authors"]) == 4


def test_links_between_pages_lead_somewhere(root):
    """Files, and headings in them, as code hosts name these."""
    lost = []
    lessons = list((root / "notebooks" / "executed").glob("*.ipynb"))
    docs = list((root / "docs").glob("*.md"))  # their links to each other are those of the site
    for page in [*root.glob("*.md"), root / "figures" / "README.md", *lessons, *docs]:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if page in docs and not target.startswith("../"):
                continue
            file, _, heading = target.partition("#")
            other = page.parent / file if file else page
            if not target.startswith(("http", "mailto")) and (not other.exists() or heading not in headings(other)):
                lost.append(f"{page.name}: {target}")
    assert not lost


def prose(page: Path) -> str:
    """A page's text, or that of a notebook's cells of text."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")


def headings(page: Path) -> set[str]:
    """Names of a page's headings in addresses; the empty one is the page itself, or a file of another kind."""
    if page.suffix != ".md":
        return {""}
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {"", *(re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in found)}


def test_a_lost_link_would_be_found(root):
    assert "how-to-run" in headings(root / "REPRODUCING.md") and "how-to-walk" not in headings(root / "REPRODUCING.md")


def commits_named(root: Path) -> set[str]:
    """By runs, by figures and tables, by executed notebooks and by the log."""
    files = [*(root / "figures").rglob("*.json"), *(root / "notebooks" / "executed").glob("*.ipynb")]
    found = {c for f in files for c in re.findall(r'"commit": ?"([0-9a-f]{40})"', f.read_text(encoding="utf-8"))}
    log = (root / "EXPERIMENT_LOG.md").read_text(encoding="utf-8")
    return found | set(re.findall(r"\b(?:commits?|and|at|from) ([0-9a-f]{7})\b", log))


def test_commits_that_are_named_are_in_the_history_or_said_to_be_lost(root):
    def git(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *command], cwd=root, capture_output=True, text=True)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("needs the whole history: no repository here, or a shallow clone")
    log = (root / "EXPERIMENT_LOG.md").read_text(encoding="utf-8")
    lost = set(re.findall(r"^- ([0-9a-f]{7}): ", log.partition("## Lost commits")[2], re.MULTILINE))
    named = commits_named(root)
    assert len(named) > 5
    assert {c for c in named if git("cat-file", "-e", f"{c}^{{commit}}").returncode and c[:7] not in lost} == set()


def unknown_names(where: Path, root: Path) -> list[str]:
    """Names that no import brings; those in small letters within strings are sizes in jaxtyping's shapes."""
    asked = [
        "check",
        "--select",
        "F821",
        "--config",
        "lint.ignore=[]",
        "--output-format",
        "concise",
        "--no-cache",
        where,
    ]
    said = subprocess.run([sys.executable, "-m", "ruff", *asked], cwd=root, capture_output=True, text=True).stdout
    found = [line for line in said.splitlines() if "Undefined name" in line]
    return [line for line in found if re.search(r"Undefined name `[A-Z]", line) or not _within_string(line, root)]


def _within_string(finding: str, root: Path) -> bool:
    """Whether the place of a finding ("path:line:column: ...") is in a string of the file."""
    path, line, column = finding.split(":")[:3]
    place = int(line), int(column) - 1
    with (root / path).open("rb") as file:
        strings = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.STRING]
    return any(token.start <= place < token.end for token in strings)


def test_annotations_name_what_is_imported(root):
    """Neither ruff nor mypy are asked, because of those shapes; pydantic says so only when settings are made."""
    assert unknown_names(root / "dgrasp", root) == []


def test_a_lost_import_would_be_found(tmp_path):
    signature = 'def f(x: TaskNames, y: Float[Tensor, "n 4"]) -> None: ...'
    imports = "from __future__ import annotations\n\nfrom jaxtyping import Float\nfrom torch import Tensor\n"
    (tmp_path / "one.py").write_text(f"{imports}\n\n{signature}\n\n\nread_json('n')\n")
    annotation, call = unknown_names(tmp_path, tmp_path)
    assert "TaskNames" in annotation and "read_json" in call


def test_pictures_are_opened_in_formats_that_start_no_program(root: Path) -> None:
    """Pillow's PostScript starts Ghostscript, whatever the file is called."""
    calls = [
        (path, call)
        for path in (root / "dgrasp").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Image.open"
    ]
    assert len(calls) > 6
    open_to_all = [
        f"{p.relative_to(root)}:{c.lineno}" for p, c in calls if "formats" not in [k.arg for k in c.keywords]
    ]
    assert open_to_all == []


def test_yaml_is_read_by_the_one_reader_that_refuses_repeated_keys(root: Path) -> None:
    readers = [
        path.relative_to(root).as_posix()
        for path in (root / "dgrasp").rglob("*.py")
        if re.search(r"yaml\.(safe_|full_|unsafe_)?load", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["dgrasp/files.py"]
