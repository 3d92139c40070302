"""What make decides: the order of the notebooks, what is stale, and what it says about bad input.

The rules are tried in a small repository whose interpreter is a script: it notes its arguments and touches the output.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from dgrasp.experiment import store

INTERPRETER = """\
#!/bin/sh
echo "$@" >> calls
case "$*" in *"$FAIL_AT"*) exit 1;; esac
case "$3" in run) mkdir -p "$(dirname "$5")"; touch "$5";; esac
"""


@pytest.fixture
def names(root) -> list[str]:
    return variable(root, "NOTEBOOKS").split()


@pytest.fixture(params=["plain", "with space"])
def repository(root: Path, tmp_path: Path, names: list[str], request) -> Path:
    """A repository that `make` takes for one with a complete environment."""
    copy = tmp_path / request.param
    for folder in ("notebooks", "dgrasp", "tools", ".venv/bin"):
        (copy / folder).mkdir(parents=True)
    for file in ("Makefile", "requirements.lock", "pyproject.toml", "tools/environment.sh"):
        shutil.copy(root / file, copy / file)
    (copy / "dgrasp" / "__init__.py").touch()
    for name in names:
        (copy / "notebooks" / f"{name}.py").touch()
    python = copy / ".venv" / "bin" / "python"
    python.write_text(INTERPRETER)
    python.chmod(0o755)
    age(copy, 100)
    (copy / ".venv" / ".installed").write_text(f"{copy} [{variable(root, 'EXTRAS')}] requirements.lock\n")
    return copy


def make(folder: Path, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE")}
    environment = {**inherited, "FAIL_AT": "nowhere", **variables}
    command = ["make", "-C", str(folder), *arguments]
    return subprocess.run(command, cwd=cwd or folder, env=environment, capture_output=True, text=True, timeout=60)


def variable(folder: Path, name: str) -> str:
    return make(folder, "-s", "--no-print-directory", "--eval", f"show: ; @echo $({name})", "show").stdout.strip()


def age(folder: Path, seconds: float) -> None:
    """Make everything in the folder look older."""
    for path in folder.rglob("*"):
        moment = path.stat().st_mtime - seconds
        os.utime(path, (moment, moment))


def calls(repository: Path) -> list[str]:
    """Stems of the notebooks that were run since the last look."""
    log = repository / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [Path(line.split()[3]).stem for line in lines]


@pytest.mark.parametrize("jobs", ["-j1", "-j8"])
def test_runs_all_notebooks_in_order_and_then_nothing(repository, names, tmp_path, jobs):
    first = make(repository, jobs, "reproduce", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert calls(repository) == names == sorted(names)
    built = [path.stem for path in (repository / "build" / "smoke" / "notebooks").iterdir()]
    assert sorted(built) == names

    second = make(repository, jobs, "reproduce", cwd=tmp_path)
    assert calls(repository) == []
    assert "up to date" in second.stdout


def test_a_touched_notebook_is_run_again_with_what_follows(repository, names):
    make(repository, "reproduce")
    calls(repository)
    age(repository, 50)
    (repository / "notebooks" / f"{names[3]}.py").touch()
    make(repository, "reproduce")
    assert calls(repository) == names[3:]


def test_another_published_experiment_makes_its_notebooks_again(repository, names):
    stated = repository / "figures" / "runs" / "laptop" / "seed-0" / "profile.json"
    stated.parent.mkdir(parents=True)
    stated.touch()
    for profile in ("published", "smoke"):
        make(repository, "reproduce", f"PROFILE={profile}")
    calls(repository)
    age(repository, 50)
    stated.touch()
    (repository / ".venv" / ".installed").touch()
    make(repository, "reproduce", "PROFILE=smoke")
    assert calls(repository) == []
    make(repository, "reproduce", "PROFILE=published")
    assert calls(repository) == names


@pytest.mark.parametrize("changed", ["dgrasp/__init__.py", "requirements.lock"])
def test_a_changed_package_runs_everything_again(repository, names, changed):
    make(repository, "reproduce")
    calls(repository)
    age(repository, 50)
    (repository / changed).touch()
    (repository / ".venv" / ".installed").touch()
    make(repository, "reproduce")
    assert calls(repository) == names


def test_after_a_failure_the_next_run_goes_on_there(repository, names):
    failed = make(repository, "-j8", "reproduce", FAIL_AT=names[2])
    assert failed.returncode != 0
    assert calls(repository) == names[:3]
    assert make(repository, "reproduce").returncode == 0
    assert calls(repository) == names[2:]


def test_profiles_are_built_apart(repository, names):
    make(repository, "reproduce")
    calls(repository)
    make(repository, "reproduce", "PROFILE=laptop")
    assert (repository / "build" / "laptop" / "notebooks" / f"{names[-1]}.ipynb").exists()
    assert calls(repository) == names


def test_clean_removes_one_profile(repository):
    make(repository, "reproduce")
    make(repository, "reproduce", "PROFILE=laptop")
    make(repository, "clean")
    assert [path.name for path in (repository / "build").iterdir()] == ["laptop"]


@pytest.mark.parametrize("target", ["reproduce", "test", "help"])
def test_unknown_profile(repository, target):
    result = make(repository, target, "PROFILE=huge")
    assert result.returncode != 0
    assert "unknown PROFILE 'huge'; profiles: smoke laptop paper" in result.stderr
    assert calls(repository) == []


def test_unknown_notebook_source(repository, names):
    (repository / "notebooks" / f"{names[1]}.py").unlink()
    result = make(repository, "reproduce")
    assert result.returncode != 0
    assert f"notebooks/{names[1]}.py" in result.stderr


def test_environment_is_made_again_for_other_extras(repository):
    assert "environment.sh" not in make(repository, "-n", "env").stdout
    assert "EXTRAS='dev,robot'" in make(repository, "-n", "env", "EXTRAS=dev,robot").stdout
    assert "LOCK=''" in make(repository, "-n", "env", "LOCK=").stdout


def test_active_environment_needs_no_stamp(repository):
    planned = make(repository, "-n", "reproduce", "ENV=active").stdout
    assert "python -m dgrasp.cli.notebooks run notebooks/00_start_here.py" in planned
    assert "environment.sh" not in planned and ".venv" not in planned


def test_settings_of_other_python_worlds_do_not_leak_in(repository):
    python = repository / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "path=[$PYTHONPATH] site=[$PYTHONNOUSERSITE]"\n')
    said = make(repository, "bench", PYTHONPATH="/elsewhere").stdout
    assert "path=[] site=[1]" in said


def test_help_is_the_default_and_names_every_target(root, repository):
    said = make(repository).stdout
    phony = next(line for line in (root / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    for target in set(phony.split()[1:]) - {"FORCE"}:
        assert f"  {target} " in said
    assert calls(repository) == []


def test_profiles_are_those_of_the_package_and_the_published_one(root):
    shipped = [p.stem for p in (root / "dgrasp/experiment/profiles").glob("*.yaml")]
    assert sorted(variable(root, "PROFILES").split()) == sorted([*shipped, store.NAME])


def test_order_holds_however_slow_the_first_notebook_is(repository, names):
    python = repository / ".venv" / "bin" / "python"
    python.write_text(INTERPRETER.replace("case", f'case "$*" in *{names[0]}.py*) sleep 0.5;; esac\ncase', 1))
    start = time.monotonic()
    make(repository, "-j8", "reproduce")
    assert calls(repository) == names
    assert time.monotonic() - start >= 0.5
