"""The notebook runner: what it accepts, what it refuses before it starts, and every way in which a run can fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec

from dgrasp.cli import notebooks
from dgrasp.cli.notebooks import NotebookError, main, parameter_defaults, read_source, run_notebook, stale_because

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""
PARAMETERS = """
# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0
rate = 0.5
"""


@pytest.fixture
def write(tmp_path: Path):
    """Write a notebook source of the given cells; returns its path."""

    def write(*cells: str, header: str = HEADER, parameters: str = PARAMETERS) -> Path:
        source = tmp_path / "notebooks" / "07_example.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text(header + parameters + "".join(f"\n# %%\n{cell}\n" for cell in cells))
        return source

    return write


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "build" / "smoke" / "notebooks" / "07_example.ipynb"


def fails(source: Path, output: Path) -> str:
    """Run a notebook that must fail; checks that it left no output but the notebook as far as it went."""
    with pytest.raises(NotebookError) as caught:
        run_notebook(source, output, profile="smoke")
    left = [path.name for path in output.parent.iterdir()]
    assert left == ["07_example.failed.ipynb"], left
    assert str(source) in str(caught.value)
    return str(caught.value)


# --- runs that end well ---------------------------------------------------------------------------------------------


def test_runs_every_cell_and_records_what_it_was_made_from(write, output, capfd):
    source = write(
        "import os, sys\nprint(profile, build, seed, rate, os.getcwd())\nprint(sys.executable)",
        "print('bar 1', '\\rbar 2', file=sys.stderr)",
    )
    assert run_notebook(source, output, profile="laptop", parameters={"seed": 7, "rate": 2}) == output

    assert [path.name for path in output.parent.iterdir()] == ["07_example.ipynb"]
    notebook = json.loads(output.read_text())
    (said,) = ("".join(result["text"]) for cell in notebook["cells"] for result in cell.get("outputs", ()))
    assert said.splitlines() == [
        f"laptop {output.parent.parent} 7 2 {source.parent}",
        sys.executable,
    ]
    record = notebook["metadata"]["dgrasp"]
    (complained,) = (entry["text"] for entry in record["stderr"])
    assert "bar 2" in complained and "bar 1" not in complained, "a progress bar leaves its last state only"
    assert record["inputs"]["parameters"] == {"profile": "laptop", "rate": 2, "seed": 7}
    assert "torch" in record["made_by"]["versions"]
    assert "bar 2" in capfd.readouterr().err, "progress reaches the terminal"


def test_output_is_stale_once_its_source_changes(write, output):
    source = write("1 + 1")
    run_notebook(source, output, profile="smoke")
    assert stale_because(output, source) is None
    source.write_text(source.read_text() + "\n# a word more\n")
    assert "source_sha256" in stale_because(output, source)


@pytest.mark.parametrize(("suffix", "counts"), [("mplstyle", True), ("json", True), ("yaml", True), ("txt", False)])
def test_settings_of_the_package_are_inputs(write, tmp_path, monkeypatch, suffix, counts):
    package = tmp_path / "package"
    (package / "report").mkdir(parents=True)
    monkeypatch.setattr(notebooks, "__file__", str(package / "notebooks.py"))
    before = notebooks.inputs_of(write("1"), {})
    (package / "report" / f"style.{suffix}").write_text("lines.linewidth: 3")
    assert (notebooks.inputs_of(write("1"), {}) != before) is counts


def test_a_source_that_is_no_text_is_named(write, output):
    source = write("1")
    source.write_bytes(source.read_bytes() + b"# \xff")
    with pytest.raises(NotebookError, match=r"07_example.py: not a text in UTF-8"):
        run_notebook(source, output, profile="smoke")


def test_a_kernel_that_does_not_start_is_named(write, output, monkeypatch, capsys):
    broken = KernelSpec(argv=[sys.executable, "-c", "raise SystemExit(1)"], display_name="broken", language="python")
    monkeypatch.setattr(notebooks.ThisInterpreter, "kernel_spec", broken)
    assert main(["run", str(write("1")), str(output)]) == 1
    said = capsys.readouterr().err
    assert "no kernel of" in said and "Traceback" not in said


def test_a_failure_keeps_the_last_good_output_and_a_success_clears_the_failed_one(write, output):
    run_notebook(write("print('good')"), output, profile="smoke")
    good = output.read_bytes()
    with pytest.raises(NotebookError):
        run_notebook(write("1 / 0"), output, profile="smoke")
    assert output.read_bytes() == good
    assert output.with_name("07_example.failed.ipynb").exists()
    run_notebook(write("print('better')"), output, profile="smoke")
    assert not output.with_name("07_example.failed.ipynb").exists()


def test_user_settings_do_not_enter(write, output, tmp_path, monkeypatch):
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("surprise = 1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    run_notebook(write("assert 'surprise' not in globals()"), output, profile="smoke")
    assert "IPYTHONDIR" not in os.environ, "the caller's environment is left as it was"


# --- refused before anything runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"header": ""}, "no kernelspec"),
        ({"parameters": ""}, "expected one cell tagged 'parameters', found 0"),
        ({"parameters": PARAMETERS * 2}, "expected one cell tagged 'parameters', found 2"),
        ({"parameters": PARAMETERS + "print(1)\n"}, "expected `name = literal`, got `print(1)`"),
        ({"parameters": PARAMETERS + "b = seed\n"}, "expected `name = literal`, got `b = seed`"),
        ({"parameters": PARAMETERS.replace("build", "place")}, "unknown parameter 'build'"),
        ({"parameters": PARAMETERS + "seed = = 1\n"}, "parameters cell, line 5: invalid syntax: seed = = 1"),
    ],
)
def test_refuses_sources_that_break_the_conventions(write, output, parts, message):
    with pytest.raises(NotebookError, match="07_example") as caught:
        run_notebook(write("1", **parts), output, profile="smoke")
    assert message in str(caught.value)
    assert not output.parent.exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sed": 1}, "unknown parameter 'sed'; parameters: profile, build, seed, rate"),
        ({"seed": "one"}, "'seed' is of type int (0), got 'one'"),
        ({"seed": True}, "'seed' is of type int (0), got True"),
    ],
)
def test_refuses_parameters_by_name(write, output, parameters, message):
    with pytest.raises(NotebookError) as caught:
        run_notebook(write("1"), output, profile="smoke", parameters=parameters)
    assert message in str(caught.value)
    assert not output.parent.exists()


def test_parameter_defaults_are_read_without_running_anything(write):
    source = write()
    assert parameter_defaults(source, read_source(source)) == {
        "profile": "smoke",
        "build": "../build/smoke",
        "seed": 0,
        "rate": 0.5,
    }


def test_missing_source(tmp_path, output):
    with pytest.raises(NotebookError, match="no such notebook source"):
        run_notebook(tmp_path / "absent.py", output, profile="smoke")


# --- every way to fail ----------------------------------------------------------------------------------------------


def test_exception_names_cell_source_and_traceback(write, output):
    message = fails(write("x = 1", "y = {}\ny['missing']", "z = 1"), output)
    assert "cell 3 of 4 failed" in message
    assert "KeyError: 'missing'" in message and "y['missing']" in message
    assert "\x1b" not in message


def test_exception_in_a_cell_that_is_marked_as_allowed_to_raise(write, output):
    source = write("x = 1")
    source.write_text(source.read_text() + '\n# %% tags=["raises-exception"]\n1 / 0\n')
    assert "ZeroDivisionError" in fails(source, output)


def test_dead_kernel(write, output):
    message = fails(write("x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "z = 1"), output)
    assert "cell 3 of 4 killed its kernel" in message and "os.kill" in message


@pytest.mark.parametrize("leave", ["import sys; sys.exit(0)", "raise SystemExit"])
@pytest.mark.parametrize("after", [["z = 1"], []])
def test_early_exit(write, output, leave, after):
    message = fails(write("x = 1", leave, *after), output)
    assert "cell 3 of" in message and "ended the notebook early with SystemExit" in message and leave in message


def test_kernel_that_leaves_quietly(write, output):
    message = fails(write("import os\nos._exit(0)"), output)
    assert "cell 2 of 2 killed its kernel" in message


def test_skipped_cell(write, output):
    source = write("x = 1")
    source.write_text(source.read_text() + '\n# %% tags=["skip-execution"]\ny = 2\n')
    message = fails(source, output)
    assert "cell 3 of 3 was not executed" in message and "y = 2" in message


# --- command line ---------------------------------------------------------------------------------------------------


def test_command_line(write, output, capsys):
    source = write("print(seed, rate)")
    assert main(["run", str(source), str(output), "--profile", "smoke", "-p", "seed=3", "-p", "rate=0.25"]) == 0
    assert "3 0.25" in "".join(json.loads(output.read_text())["cells"][-1]["outputs"][0]["text"])
    assert main(["run", str(source), str(output), "-p", "sed=3"]) == 1
    assert "unknown parameter 'sed'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["run", str(source), str(output), "-p", "seed"])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_run_leaves_no_output_and_no_kernel(write, output, tmp_path, sent):
    source = write(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    command = [sys.executable, "-m", "dgrasp.cli.notebooks", "run", str(source), str(output)]
    # A shell that runs tests in the background ignores SIGINT for all its children: undo that for this one.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    runner = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2], preexec_fn=heed)
    try:
        pid = _wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
        runner.send_signal(sent)
        assert runner.wait(60) != 0
        assert not output.exists()
        _wait_for(lambda: not Path(f"/proc/{pid}").exists())
    finally:
        runner.kill()


def _wait_for(condition, seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError("waited in vain")
