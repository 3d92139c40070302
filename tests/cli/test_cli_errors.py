"""One mouth for errors: every command says one line, and ends with 2 for the user's input and 1 for the machine's."""

from __future__ import annotations

import ast
import errno
import importlib
import json
import re
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest

from dgrasp.cli import errors
from dgrasp.cli import main as cli
from dgrasp.cli.errors import INPUT, INTERRUPTED, MACHINE, exit_code, explained
from dgrasp.cli.main import COMMANDS, main
from dgrasp.data.captures.document import CaptureError
from dgrasp.files import UserFileError

PROFILES = {
    "unknown_key.yaml": "name: mine\nnerf: {step: 3}\n",
    "bad_value.yaml": "name: mine\nnerf: {training: {steps: many}}\n",
    "twice.yaml": "name: mine\nname: other\n",
    "no_yaml.yaml": "name: [mine\n",
    "shipped_name.yaml": "name: laptop\n",
}
NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% tags=["parameters"]
profile = "smoke"
build = "../build"
seed = 0
"""

# Arguments, and what the line must say; {here} is a folder with the files of the fixture.
WRONG_INPUT = [
    ("reproduce --profile huge", "unknown profile 'huge'; profiles: smoke, laptop, paper"),
    ("reproduce --profile {here}/absent.yaml", "absent.yaml: no such profile file"),
    ("reproduce --profile {here}/unknown_key.yaml", "nerf.step: Extra inputs are not permitted; allowed: "),
    ("reproduce --profile {here}/bad_value.yaml", "nerf.training.steps: "),
    ("reproduce --profile {here}/twice.yaml", "key 'name' stands twice"),
    ("reproduce --profile {here}/no_yaml.yaml", "no_yaml.yaml: not valid YAML"),
    ("reproduce --profile {here}/shipped_name.yaml", "'laptop' is a shipped profile's"),
    ("reproduce --only 42", "no notebook begins with '42'; notebooks: 00_start_here, "),
    ("reproduce --only 00 --build {here}/file", "file"),
    ("reproduce --only 00 --build {here}/loop/b", "argument --build: expected a path, got "),
    ("reproduce --only 00 --build {here}/{long}", "--build: expected a path, got "),
    ("reproduce --only 00 --build=", "--build: expected a path, got '': it is empty"),
    ("reproduce --profile {here}/{long}.yaml", "File name too long; choose a shorter name"),
    ("figures --folder {here}/file", "--folder: {here}/file is a file; expected the path of a folder"),
    ("demonstrations --workers 100000 --build {here}/build", "workers: Input should be less than or equal to 1024"),
    ("reproduce --seed -1", "--seed: expected a whole number of 0 or more, got '-1'"),
    ("reproduce --prof smoke", "unrecognized arguments: --prof"),
    ("figures --profile smoke", "profile 'smoke' is for trying things out; published are laptop, paper"),
    ("figures --profile laptop --only tab01", "profile 'laptop' is a build, and figures/ shows published results"),
    ("figures --profile laptop --folder figures", "--folder figures: holds the figures of the main published experim"),
    ("figures --profile huge", "unknown profile 'huge'"),
    ("site --profile huge", "unknown profile 'huge'"),
    ("site --without sound", "invalid choice: 'sound'"),
    ("site --folder {here}", "holds something else than a site; give a new or an empty folder"),
    ("site --profile smoke --build {here}/build --folder {here}/site", "no figures there; run `make reproduce`"),
    ("publish --profile huge", "unknown profile 'huge'"),
    ("publish --profile smoke --build {here}/build", "profile 'smoke' is for trying things out"),
    ("publish --profile laptop --build {here}/build --folder {here}/out", "this stage is not complete"),
    ("publish --profile laptop --build {here}/file --folder {here}/out", "file"),
    ("eval-new-scenes", "--scene-seed"),
    ("eval-new-scenes --scene-seed many", "expected a whole number of 0 or more, got 'many'"),
    ("eval-new-scenes --scene-seed 0 --build {here}/build", "scene_seed: 0 is the experiment's own"),
    ("eval-new-scenes --scene-seed 5 --policies best --build {here}/build", "best"),
    ("eval-new-scenes --scene-seed 5 --repetitions 0", "expected a whole number of 1 or more, got '0'"),
    ("train-seeds --seeds 0 one", "expected a whole number of 0 or more, got 'one'"),
    ("train-seeds --profile huge", "unknown profile 'huge'"),
    ("eval-variant nothing", "invalid choice: 'nothing' (choose from 'everything-climbs', 'papers-starts', "),
    ("eval-variant base-reported --profile huge", "unknown profile 'huge'"),
    ("ablations --profile huge", "unknown profile 'huge'"),
    ("ablations --question nothing --build {here}/build", "unknown question 'nothing'; questions: second_order, "),
    ("beyond rows --profile huge", "unknown profile 'huge'"),
    ("beyond everything", "choose from"),
    ("beyond factors --presentations 0", "--presentations: expected a whole number of 1 or more, got '0'"),
    ("ablations --minutes 0", "--minutes: expected a whole number of 1 or more, got '0'"),
    ("ablations --keep --choose --build {here}/build", "rows of validation scenes guide choices"),
    ("closed-loop --profile huge", "unknown profile 'huge'"),
    ("closed-loop --scenes 0", "expected a whole number of 1 or more, got '0'"),
    ("diagnose --tasks cluter --build {here}/build", "unknown task 'cluter'"),
    ("diagnose --policies best --build {here}/build", "best"),
    ("diagnose --scenes 0", "expected a whole number of 1 or more, got '0'"),
    ("plan-from-images {here}/absent", "no such file; expected a folder of photographs"),
    ("plan-from-images {here}/empty", "no such file; expected a folder of photographs"),
    ("plan-from-images {here}/no_json", "transforms.json"),
    ("plan-from-images {here}/no_frames", "expected an object with `frames`"),
    ("plan-from-images {here}/no_image", "frame 0 ('absent.png')"),
    ("plan-from-images {here} --output {here}", "is a folder; expected the path of a file"),
    ("plan-from-images {here} -n 0", "expected a whole number of 1 or more, got '0'"),
    ("plan-from-images", "the following arguments are required: FOLDER"),
    ("import {here}/empty --format folder", "empty: no folder in it has a trajectory.csv"),
    ("import {here}/empty --format lerobot", "info.json: no such file; expected a LeRobot dataset, version 3"),
    ("import {here}/file --format robomimic", "file: not a robomimic file of demonstrations"),
    ("import {here}/empty --format zarr", "invalid choice: 'zarr' (choose from 'lerobot', 'robomimic', 'folder')"),
    ("calibrate {here}/empty", "poses.csv: no such file; expected pictures and the poses they were taken from"),
    ("calibrate {here}/empty --arm 192.0.2.7", "--arm and --camera go together"),
    ("calibrate {here}/empty --marker 40", "marker: 0.04 m must be smaller than the square of 0.035 m"),
    ("board {here}/sheet.gif", "expected a name that ends in .pdf, .svg, .png"),
    ("board {here}/sheet.pdf --side 500", "page: the pattern is 1750 x 1125 mm and does not fit on a4"),
    ("board {here}/sheet.pdf --side 0.07", "--side: 0.07 mm; expected are 2 mm and more, are these metres, not milli"),
    ("board {here}/sheet.pdf --kind checkerboard --rows 5", "9x5 squares look the same when turned by half"),
    ("board {here}/sheet.pdf --page a9", "page: unknown 'a9'; pages: a4, letter, a3"),
    ("reproduce --seed {digits}", "--seed: expected a whole number of 9223372036854775807 at most"),
    ("reproduce --only=", "--only: expected a name, got ''"),
    ("reproduce --only 00 00 --dry-run", "--only: '00' stands twice"),
    ("figures --only tab01 tab01", "--only: 'tab01' stands twice"),
    ("train-seeds --seeds 1 1", "--seeds: 1 stands twice"),
    ("diagnose --tasks nowhere.at:All --build {here}/build", "cannot be imported (no module named 'nowhere')"),
    ("diagnose --tasks simple simple", "--tasks: 'simple' stands twice"),
    ("diagnose --scenes {digits}", "--scenes: expected a whole number of 1000000 at most"),
    ("diagnose --build {here}/file/below", "file"),
    ("ablations --question starts starts", "--question: 'starts' stands twice"),
    ("ablations --list --keep", "--keep: goes with what computes alone; leave it out"),
    ("beyond paired --presentations 3", "--presentations: goes with rows, factors, ingredients alone; leave it"),
    ("beyond rows --scenes 3", "--scenes: goes with clearing, ingredients, summit alone"),
    ("beyond rows --keep --profile smoke --build {here}/build", "profile 'smoke' is for trying things out"),
    ("beyond ingredients --profile smoke --build {here}/build", "profile 'smoke' has no `outcomes`, an ingredient"),
    ("beyond stages --keep", "--keep: goes with a table alone"),
    ("beyond ingredients --arms looks looks", "--arms: 'looks' stands twice"),
    ("beyond rows --arms looks", "--arms: goes with ingredients alone; leave it out"),
    ("board {here}/sheet.pdf --kind charuco --page a3", "--page: goes with sheets"),
    ("board {here}/sheet.pdf --kind charuco --side 0.5", "is too small for 300 dpi; allowed are"),
    ("board {here}/sheet.PDF --kind charuco --side 400", "is larger than a page"),
    ("board {here}/file/sheet.pdf", "file: File exists; a folder is needed there; choose another path"),
    ("calibrate {here}/empty --seed 3", "--seed: goes with --practice alone"),
    ("calibrate {here}/empty --views 3", "--views: goes with --arm and --practice alone"),
    ("calibrate {here}/empty --arm= --camera=", "--arm: expected a name, got ''"),
    ("import {here}/empty --format folder --cameras {here}/file", "--cameras: goes with lerobot and robomimic"),
    ("import {here}/empty --format robomimic --pose state", "--pose: goes with --format lerobot alone"),
    ("import {here}/empty --format folder --check --build {here}/b", "--build: goes with what is written"),
    ("import {here}/empty --format folder --picture {here}/p.png", "--picture: goes with --check alone"),
    ("import {here}/empty --format folder --check --picture {here}/07_own.py", "expected a name that ends in .png"),
    ("import {here}/empty --format folder --check --picture {here}/page.png", "is there, and is no picture of before"),
    ("doctor --cell panda_hand --picture {here}/page.png", "page.png: is there, and is no picture of before; expected"),
    ("doctor --cell {here}/unknown_key.yaml --picture {here}/unknown_key.yaml", "expected a name that ends in .png"),
    ("board {here}/page.png", "page.png: exists already, and is not replaced; choose another name"),
    ("board {here}/page.png --kind checkerboard", "page.png: exists already"),
    ("board {here}/page.png --kind charuco", "page.png: exists already"),
    ("import {nothing} --format folder", "SOURCE: expected a path, got ''"),
    ("plan-from-images {nothing}", "FOLDER: expected a path, got ''"),
    ("demonstrations --scheduler=", "--scheduler: expected a name, got ''"),
    ("doctor --picture {here}/p.png", "--picture: goes with --cell alone"),
    ("doctor --cell panda_hand --json", "--json: goes with the machine, without --cell, alone"),
    ("notebook {here}/07_own.py {here}/out.ipynb -p seed=1 -p seed=2", "-p: 'seed' is given twice"),
    ("notebook {here}/07_own.py {here}/out.ipynb -p seed={nested}", "parameter 'seed' is of type int"),
    ("demonstrations --profile huge", "unknown profile 'huge'"),
    ("demonstrations --backend dusk --build {here}/build", "unknown backend 'dusk'; backends: loky, "),
    ("demonstrations --backend loky --scheduler tcp://localhost:1 --build {here}/build", "a scheduler is Dask's"),
    ("demonstrations --workers 0", "expected a whole number of 1 or more, got '0'"),
    ("demonstrations --build {here}/file", "file"),
    ("notebook {here}/absent.py {here}/out.ipynb", "absent.py: no such notebook source"),
    ("notebook {here}/07_own.py {here}/07_own.py", "output and source are the same file"),
    ("notebook {here}/07_own.py {here}/link.ipynb", "output and source are the same file"),
    ("notebook {here}/07_own.py {here}/out.html", "an executed notebook is an .ipynb file"),
    ("notebook {here}/07_own.py {here}/out.ipynb -p build=elsewhere", "say --build"),
    ("notebook {here}/07_own.py {here}/out.ipynb -p profile=laptop", "say --profile"),
    ("notebook {here}/07_own.py {here}/out.ipynb -p sed=1", "unknown parameter 'sed'; parameters: profile, "),
    ("notebook {here}/07_own.py {here}/out.ipynb -p seed", "expected name=value, got 'seed'"),
    ("notebook {here}/07_own.py {here}/out.ipynb --profile huge", "unknown profile 'huge'"),
    ("ycb {here}/ycb spoon", "unknown YCB object 'spoon'; objects: banana, "),
    ("ycb {here}/file", "file"),
    ("doctor --cell kuka", "kuka: no such cell; expected a .yaml file, or one of panda_hand, ur10_2f140_d415"),
    ("doctor --cell {here}/unknown_key.yaml", "arm: Field required"),
    ("doctor --jsn", "unrecognized arguments: --jsn"),
    ("record", "invalid choice: 'record' (choose from "),
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of files that are not what they should be."""
    for name, text in {**PROFILES, "file": "", "page.png": "mine", "07_own.py": NOTEBOOK}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "07_own.py")
    texts = {"no_json": "no", "no_frames": "{}", "no_image": {"file_path": "absent.png", "transform_matrix": 1}}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        content = text if isinstance(text, str) else json.dumps({"frames": [text]})
        (tmp_path / name / "transforms.json").write_text(content)
    (tmp_path / "empty").mkdir()
    return tmp_path


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr of a command."""
    try:
        code = main(arguments)
    except SystemExit as left:  # argparse
        code = int(left.code or 0)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), WRONG_INPUT, ids=[arguments for arguments, _ in WRONG_INPUT])
def test_wrong_input_gives_one_line_and_code_2(here: Path, capsys, monkeypatch, arguments: str, message: str) -> None:
    monkeypatch.chdir(here)
    words = {"here": here, "long": "x" * 300, "digits": "9" * 5000, "nothing": "", "nested": "(" * 9000}
    code, said = run([part.format(**words) for part in arguments.split()], capsys)
    assert message.format(here=here) in said
    assert code == INPUT
    *before, last = said.splitlines()
    assert last.startswith("dgrasp"), "it names the command"
    assert all(line.startswith(("07_own: ", "absent: ", "00_start_here: ", "novel objects: ")) for line in before)
    assert "Traceback" not in said


def test_every_command_has_a_case_of_wrong_input() -> None:
    assert {arguments.split()[0] for arguments, _ in WRONG_INPUT} >= set(names().values())


def names() -> dict:
    """Module of a subcommand -> its name."""
    parser = cli._parser()
    choices = next(a.choices for a in parser._actions if a.dest == "command")
    homes = {sub.get_default("run").__module__: name for name, sub in choices.items()}
    return {command: homes[command.__name__] for command in COMMANDS}


# --- the machine's ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        "reproduce --only 00 --build {closed}/build",
        "demonstrations --build {closed}/build",
        "ycb {closed}/ycb banana",
        "notebook {root}/notebooks/00_start_here.py {closed}/out/notebooks/00_start_here.ipynb",
    ],
)
def test_a_folder_that_may_not_be_written(root: Path, closed_folder: Path, capsys, arguments: str) -> None:
    code, said = run(arguments.format(root=root, closed=closed_folder).split(), capsys)
    assert code == MACHINE
    assert "closed" in said.splitlines()[-1] and "ermission" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), MACHINE),
        (OSError(errno.EIO, "Input/output error"), MACHINE),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), INPUT),
        (ValueError("embedded null byte"), INPUT),
    ],
)
def test_a_file_of_the_users_that_may_not_be_read_is_the_machines(cause: Exception, code: int) -> None:
    for error in (CaptureError("transforms.json: cannot be read"), UserFileError("cell.yaml: cannot be read")):
        error.__cause__ = cause
        assert exit_code(error) == code


def test_no_network(here: Path, capsys, monkeypatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    code, said = run(["ycb", str(here / "ycb"), "banana"], capsys)
    assert code == MACHINE
    assert "no route to host" in said and "call again" in said


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), MACHINE, "a/b: No space left on device; free some"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), MACHINE, "a: Permission denied; choose another"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), INPUT, "a: No such file or directory"),
        (MemoryError(), MACHINE, "MemoryError"),
        (ModuleNotFoundError("No module named 'h5py'"), MACHINE, "No module named 'h5py'"),
        (ValueError("n: expected 1 or more\n  got 0"), INPUT, "n: expected 1 or more; got 0"),
        (KeyError("x"), MACHINE, "unexpected KeyError: 'x'"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted; the same command goes on where it stopped"),
    ],
)
def test_what_any_command_says(capsys, monkeypatch, error: BaseException, code: int, message: str) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("dgrasp.cli.doctor.run", fail)
    assert run(["doctor"], capsys)[0] == code
    said = run(["doctor"], capsys)[1]
    assert said.startswith(f"dgrasp doctor: {message}") and said.count("\n") == 1
    assert "Traceback" in run(["--debug", "doctor"], capsys)[1]
    assert "Traceback" in run(["doctor", "--debug"], capsys)[1]


def test_arrays_that_do_not_fit_are_a_fault_of_ours_and_say_where(capsys, monkeypatch) -> None:
    """Whether the library raises in Python or below; what our own line raises is the user's, as settings are."""
    from dgrasp.cell.model import PAPERS
    from dgrasp.poses import representation

    for fault, text in (
        (lambda _: np.stack([np.zeros(2), np.zeros(3)]), "unexpected ValueError: all input arrays must have"),
        (lambda _: PAPERS.inside(np.zeros(2)), "unexpected ValueError: operands could not be"),
    ):
        monkeypatch.setattr("dgrasp.cli.doctor.run", fault)
        code, said = run(["doctor"], capsys)
        assert code == MACHINE and said.startswith(f"dgrasp doctor: {text}"), said
        assert re.search(r"\(\S+\.py, line \d+\); --debug shows the traceback\n$", said)
    monkeypatch.setattr("dgrasp.cli.doctor.run", lambda _: representation("euler"))
    assert run(["doctor"], capsys)[0] == INPUT


def test_errors_of_ours_that_explain_another_have_its_code() -> None:
    from dgrasp.runs import RunError

    ours = RunError("a: cannot write runs there")
    assert exit_code(ours) == INPUT
    ours.__cause__ = PermissionError(errno.EACCES, "Permission denied")
    assert exit_code(ours) == MACHINE
    ours.__cause__ = NotADirectoryError(errno.ENOTDIR, "Not a directory")
    assert exit_code(ours) == INPUT


def test_settings_that_are_not_allowed_stand_in_one_line() -> None:
    from pydantic import ValidationError

    from dgrasp.slopes.config import OptimizerConfig

    with pytest.raises(ValidationError) as caught:
        OptimizerConfig.model_validate({"steps": -1, "step": 2})
    said = explained(caught.value)
    assert "steps: " in said and "(got -1)" in said and "step: " in said and "\n" not in said


# --- the table of classes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", errors.CODES)
def test_every_class_in_the_table_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    if not module.startswith("dgrasp"):
        pytest.importorskip(module)
    found = getattr(importlib.import_module(module), kind)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name


def test_every_error_class_that_commands_may_meet_has_a_code(root: Path) -> None:
    found = []
    for path in (root / "dgrasp").rglob("*.py"):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.ClassDef)
                and node.name[0] != "_"
                and any(_is_error(ast.unparse(base)) for base in node.bases)
            ):
                found.append(getattr(importlib.import_module(module), node.name))
    assert len(found) > 8
    assert [kind for kind in found if errors._code(kind.__new__(kind)) is None] == []


def _is_error(base: str) -> bool:
    return base.endswith(("Error", "Refused", "Exception", "Fault"))


# --- as a process -----------------------------------------------------------------------------------------------------


def dgrasp(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dgrasp", *arguments], capture_output=True, text=True, timeout=500)


def test_stderr_holds_nothing_but_the_line() -> None:
    done = dgrasp("publish", "--profile", "huge")
    assert done.returncode == INPUT
    assert done.stderr.startswith("dgrasp publish: unknown profile 'huge'") and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_is_there_at_once_and_names_every_command() -> None:
    """Nothing heavy is loaded for it."""
    code = (
        "import sys; from dgrasp.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'torch', 'numpy', 'pydantic', 'pybullet', 'pandas', 'jupytext', 'yaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert done.stdout.splitlines()[-1] == "[]"
    for name in names().values():
        assert f"\n    {name} " in done.stdout or f"\n    {name}\n" in done.stdout


@pytest.mark.parametrize("name", names().values())
def test_each_command_explains_itself_and_its_options(name: str, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    parser = next(a.choices for a in cli._parser()._actions if a.dest == "command")[name]
    said = " ".join(capsys.readouterr().out.split())
    assert len(parser.description) > 60 and " ".join(parser.description.split()) in said
    for action in parser._actions:
        assert action.help or not action.option_strings, action


def test_without_a_command_it_shows_the_help(capsys) -> None:
    assert main([]) == 0
    assert "commands:" in capsys.readouterr().out
