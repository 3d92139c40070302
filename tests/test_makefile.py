"""What make does: it makes the environment where that is due, and calls `dgrasp` (which decides what is stale).

The rules are tried in a small repository whose interpreter and whose environment script are stand-ins that note their
calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dgrasp.cli.options import PUBLISHED
from dgrasp.experiment.profiles import PROFILES

INTERPRETER = """\
#!/bin/sh
echo "$@" >> calls
case "$*" in *"$FAIL_AT"*) exit 1;; esac
"""
ENVIRONMENT = """\
echo "installing [$EXTRAS] with ${LOCK:-no lock}" >> calls
mkdir -p "$VENV/bin"
cp interpreter "$VENV/bin/python"
"""
ROOT = Path(__file__).resolve().parent.parent
EXTRAS = re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
INSTALLED = f"installing [{EXTRAS}] with requirements.lock"
OF_THE_OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE", "PYTEST_ARGS", "JOBS", "ARGS", "CI")
OLD_NAMES = {"record": "publish", "fresh": "eval-new-scenes", "seeds": "train-seeds"}


anywhere = pytest.mark.parametrize(
    "repository", ["plain", "with space", "O'Neil's (Größe, 50% & #1)"], indirect=True
)  # a folder may have any name


@pytest.fixture
def repository(root: Path, tmp_path: Path, request) -> Path:
    """A repository with stand-ins and without an environment."""
    copy = tmp_path / getattr(request, "param", "plain")
    for folder in ("notebooks", "dgrasp", "tools"):
        (copy / folder).mkdir(parents=True)
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / file, copy / file)
    (copy / "dgrasp" / "__init__.py").touch()
    (copy / "tools" / "environment.sh").write_text(ENVIRONMENT)
    (copy / "interpreter").write_text(INTERPRETER)
    (copy / "interpreter").chmod(0o755)
    return copy


@pytest.fixture
def ready(repository: Path) -> Path:
    """The same with its environment."""
    assert make(repository, "env").returncode == 0
    assert calls(repository) == [INSTALLED]
    return repository


def make(folder: Path, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in OF_THE_OUTER_MAKE}
    environment = {**inherited, "FAIL_AT": "nowhere", **variables}
    command = ["make", "-C", str(folder), *arguments]
    return subprocess.run(command, cwd=cwd or folder, env=environment, capture_output=True, text=True, timeout=500)


def variable(folder: Path, name: str) -> str:
    return make(folder, "-s", "--no-print-directory", "--eval", f"show: ; @echo $({name})", "show").stdout.strip()


def calls(repository: Path) -> list[str]:
    """What was called since the last look."""
    log = repository / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


@anywhere
@pytest.mark.parametrize("jobs", ["-j1", "-j8"])
def test_the_environment_is_made_first_and_once(repository, tmp_path, jobs):
    first = make(repository, jobs, "reproduce", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert calls(repository) == [INSTALLED, "-m dgrasp reproduce --profile smoke"]
    second = make(repository, jobs, "reproduce", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert calls(repository) == ["-m dgrasp reproduce --profile smoke"], "which decides what is to be run"


@pytest.mark.parametrize("file", ["requirements.lock", "pyproject.toml", "tools/environment.sh"])
def test_the_environment_goes_by_content(ready, file):
    (ready / file).touch()
    make(ready, "env")
    assert calls(ready) == []
    with open(ready / file, "a") as handle:
        handle.write("# other\n")
    make(ready, "env")
    assert calls(ready) == [INSTALLED]


@anywhere
def test_the_environment_is_made_again_for_other_parts_or_another_place(ready):
    make(ready, "env", "EXTRAS=dev,robot")
    assert calls(ready) == ["installing [dev,robot] with requirements.lock"]
    make(ready, "env", "EXTRAS=dev,robot", "LOCK=")
    assert calls(ready) == ["installing [dev,robot] with no lock"]
    make(ready, "env", "EXTRAS=dev,robot", "LOCK=")
    assert calls(ready) == []
    moved = ready.rename(ready.with_name("moved"))
    make(moved, "env", "EXTRAS=dev,robot", "LOCK=")
    assert calls(moved) == ["installing [dev,robot] with no lock"]


def test_an_environment_that_failed_is_made_again(repository):
    (repository / "tools" / "environment.sh").write_text("exit 1\n")
    assert make(repository, "reproduce").returncode != 0
    assert calls(repository) == []
    (repository / "tools" / "environment.sh").write_text(ENVIRONMENT)
    assert make(repository, "env").returncode == 0
    assert calls(repository) == [INSTALLED]


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["reproduce", "PROFILE=laptop"], "reproduce --profile laptop"),
        (["reproduce", "PROFILE=mine.yaml", "ARGS=--only 04 05"], "reproduce --profile mine.yaml --only 04 05"),
        (["figures"], "figures"),
        (["figures", "PROFILE=published:panda"], "figures --profile published:panda"),
        (["site"], "site"),
        (["site", "PROFILE=smoke", "ARGS=--pictures"], "site --profile smoke --pictures"),
        (["publish", "PROFILE=laptop"], "publish --profile laptop"),
        (["eval-new-scenes"], "eval-new-scenes --scene-seed 11"),
        (["eval-new-scenes", "PROFILE=laptop"], "eval-new-scenes --scene-seed 11 --profile laptop"),
        (["train-seeds", "SEEDS=3", "PROFILE=laptop"], "train-seeds --seeds 3 --profile laptop"),
        (["eval-new-scenes", "SCENE_SEED=5", "REPLICATION_ARGS=--keep"], "eval-new-scenes --scene-seed 5 --keep"),
        (["train-seeds", "SEEDS=3 4", "ARGS=--repetitions 5"], "train-seeds --seeds 3 4 --repetitions 5"),
        (["ablations", "PROFILE=laptop", "ARGS=--minutes 5"], "ablations --profile laptop --minutes 5"),
        (["doctor", "ARGS=--json"], "doctor --json"),
    ],
)
def test_targets_call_the_command(ready, arguments, called):
    assert make(ready, *arguments).returncode == 0
    assert calls(ready) == [f"-m dgrasp {called}"]


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_old_names_say_the_new_ones_and_do_as_they(ready, old, new):
    make(ready, new, "PROFILE=laptop", "REPLICATION_ARGS=--keep")
    expected = calls(ready)
    done = make(ready, old, "PROFILE=laptop", "REPLICATION_ARGS=--keep")
    assert done.returncode == 0
    assert f"`make {old}` is called `make {new}` now" in done.stderr
    assert calls(ready) == expected and f"-m dgrasp {new}" in expected[0]


@anywhere
def test_tests_bring_the_smoke_build_up_to_date_and_run_side_by_side(ready):
    make(ready, "test", "PROFILE=laptop", "JOBS=3", "PYTEST_ARGS=-k poses")
    assert calls(ready) == ["-m pytest --smoke -n 3 -k poses"]
    assert make(ready, "test", FAIL_AT="pytest").returncode != 0


def test_ci_is_told_all(ready):
    make(ready, "reproduce", CI="true")
    assert calls(ready) == ["-m dgrasp --debug reproduce --profile smoke"]


@anywhere
def test_clean_removes_one_profile(ready):
    for profile in ("smoke", "laptop"):
        (ready / "build" / profile / "notebooks").mkdir(parents=True)
    make(ready, "clean")
    assert [path.name for path in (ready / "build").iterdir()] == ["laptop"]
    assert make(ready, "clean", "PROFILE=mine.yaml").returncode != 0
    assert calls(ready) == []


@pytest.mark.parametrize(
    ("target", "profile"),
    [("reproduce", "huge"), ("test", "huge"), ("help", "huge"), ("clean", "huge"), ("clean", ""), ("clean", "..")],
)
def test_unknown_profile(repository, target, profile):
    (repository / "build").mkdir()
    result = make(repository, target, f"PROFILE={profile}")
    assert result.returncode != 0
    assert f"unknown PROFILE '{profile}'; profiles: smoke laptop paper" in result.stderr
    assert calls(repository) == [] and (repository / "build").is_dir()


def test_active_environment_needs_no_stamp(repository):
    planned = make(repository, "-n", "reproduce", "ENV=active").stdout
    assert "python -m dgrasp reproduce --profile 'smoke'" in planned
    assert "environment.sh" not in planned and ".venv" not in planned


@anywhere
def test_the_doctor_needs_no_environment(repository):
    python = repository / "interpreter"
    assert make(repository, "doctor", f"PYTHON=./{python.name}").returncode == 0
    assert calls(repository) == ["-m dgrasp doctor"]


def test_settings_of_other_python_worlds_do_not_leak_in(ready):
    python = ready / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "path=[$PYTHONPATH] site=[$PYTHONNOUSERSITE]"\n')
    said = make(ready, "bench", PYTHONPATH="/elsewhere").stdout
    assert "path=[] site=[1]" in said


def test_help_is_the_default_and_names_every_target(root, ready):
    said = make(ready).stdout
    lines = [line for line in (root / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")]
    targets = {target for line in lines for target in line.split()[1:]} - {"FORCE", *OLD_NAMES}
    assert len(targets) > 12
    for target in targets:
        assert f"  {target} " in said
    assert calls(ready) == []


def test_profiles_are_those_of_the_package_and_the_published(root):
    assert sorted(variable(root, "PROFILES").split()) == sorted([*PROFILES, PUBLISHED])


def test_quick_lints_and_runs_files_that_are_there(ready):
    make(ready, "quick", "JOBS=3")
    *linted, tested = calls(ready)
    assert linted[0] == "-m ruff check ." and tested.startswith("-m pytest -n 3 tests/")
    files = tested.split()[4:]
    assert len(files) > 20 and all((ROOT / file).exists() for file in files)
