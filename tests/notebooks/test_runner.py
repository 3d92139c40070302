"""The notebook runner: what it accepts, what it refuses before it starts, and every way in which a run can fail."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import started
from jupyter_client.kernelspec import KernelSpec

from dgrasp.cli.main import main
from dgrasp.cli.notebooks import kernels, runner
from dgrasp.cli.notebooks.runner import run_notebook
from dgrasp.cli.notebooks.source import NotebookError, NotebookRefused, parameter_defaults, read_source

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
    """Run a notebook that must fail; returns the error with its notes.

    Checks that it left no output but the notebook as far as it went, and that the error itself is one line.
    """
    with pytest.raises(NotebookError) as caught:
        run_notebook(source, output, profile="smoke")
    left = [path.name for path in output.parent.iterdir()]
    assert left == ["07_example.failed.ipynb"], left
    said = str(caught.value)
    assert str(source) in said and left[0] in said and "\n" not in said
    return "\n".join([said, *caught.value.__notes__])


# --- runs that end well ---------------------------------------------------------------------------------------------


def test_runs_every_cell_and_records_what_it_was_made_from(write, output, capfd):
    source = write(
        "import os, sys\nprint(profile, build, seed, rate, os.getcwd())\nprint(sys.executable)",
        "print('bar 1', '\\rbar 2', file=sys.stderr)",
        "import joblib\nfrom dgrasp.processes import bound\n"  # as stages do, with workers
        "own = joblib.Parallel(n_jobs=2, **bound())(joblib.delayed(os.getpid)() for _ in range(2))\n"
        "assert os.getpid() not in own",
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
    assert record["inputs"]["parameters"] == {"rate": 2, "seed": 7}
    assert "torch" in record["made_by"]["versions"]
    assert "bar 2" in capfd.readouterr().err, "progress reaches the terminal"


def test_a_source_that_is_no_text_is_named(write, output):
    source = write("1")
    source.write_bytes(source.read_bytes() + b"# \xff")
    with pytest.raises(NotebookRefused, match=r"07_example.py: not a text in UTF-8"):
        run_notebook(source, output, profile="smoke")


def test_a_kernel_that_does_not_start_is_named(write, output, monkeypatch, capsys):
    broken = KernelSpec(argv=[sys.executable, "-c", "raise SystemExit(1)"], display_name="broken", language="python")
    monkeypatch.setattr(runner.ThisInterpreter, "kernel_spec", broken)
    assert main(["notebook", str(write("1")), str(output)]) == 1
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


@pytest.mark.parametrize("can_fork", [True, False] if kernels.CAN_FORK else [False])
def test_kernels_are_forked_with_everything_loaded_where_that_is_possible(write, output, monkeypatch, can_fork):
    monkeypatch.setattr(kernels, "CAN_FORK", can_fork)
    source = write(f"import sys\nassert ('torch' in sys.modules) == {can_fork}")
    run_notebook(source, output, profile="smoke")


def test_user_settings_do_not_enter(write, output, tmp_path, monkeypatch):
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("surprise = 1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    run_notebook(write("assert 'surprise' not in globals()"), output, profile="smoke")
    assert "IPYTHONDIR" not in os.environ, "the caller's environment is left as it was"


def test_notebooks_have_pictures_whatever_the_terminal_uses(write, output, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    run_notebook(write("import matplotlib.pyplot as plt\n_ = plt.plot([0, 1])"), output, profile="smoke")
    kinds = [
        kind for cell in json.loads(output.read_text())["cells"] for o in cell.get("outputs", ()) for kind in o["data"]
    ]
    assert "image/png" in kinds
    assert os.environ["MPLBACKEND"] == "agg"


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


@pytest.mark.parametrize("name", ["build", "profile"])
def test_what_has_an_option_is_no_parameter(write, output, name):
    with pytest.raises(NotebookRefused, match=f"parameter '{name}' is not given with the others; say --{name}"):
        run_notebook(write("1"), output, profile="smoke", parameters={name: "elsewhere"})
    assert not output.parent.exists()


def test_a_source_is_never_overwritten(write, tmp_path):
    source = write("1")
    before = source.read_bytes()
    (tmp_path / "link.ipynb").hardlink_to(source)
    for output in (source, source.parent / "." / source.name, tmp_path / "link.ipynb"):
        with pytest.raises(NotebookRefused, match="output and source are the same file"):
            run_notebook(source, output, profile="smoke")
    with pytest.raises(NotebookRefused, match=r"an executed notebook is an .ipynb file"):
        run_notebook(source, tmp_path / "07_example.txt", profile="smoke")
    assert source.read_bytes() == before


def test_a_profile_s_file_is_found_from_where_the_command_stands(write, output, tmp_path, monkeypatch):
    """The notebook itself runs in its own folder."""
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    monkeypatch.chdir(tmp_path)
    run_notebook(write("print(profile)"), output, profile="mine.yaml")
    assert str(tmp_path / "mine.yaml") in output.read_text()


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
    assert main(["notebook", str(source), str(output), "--profile", "smoke", "-p", "seed=3", "-p", "rate=0.25"]) == 0
    assert "3 0.25" in "".join(json.loads(output.read_text())["cells"][-1]["outputs"][0]["text"])
    assert main(["notebook", str(source), str(output), "-p", "sed=3"]) == 2
    assert "unknown parameter 'sed'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["notebook", str(source), str(output), "-p", "seed"])


@pytest.mark.parametrize(("raised", "code"), [("OSError(28, 'No space left')", 1), ("ProfileError('no such')", 2)])
def test_a_cell_s_error_is_said_in_a_line(write, output, capsys, raised, code):
    source = write(f"class ProfileError(ValueError): ...\nraise {raised}")
    assert main(["notebook", str(source), str(output)]) == code
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"dgrasp notebook: {source}: cell 2 of 2 failed with ") and "07_example.failed.ipynb" in last
    assert main(["notebook", str(source), str(output), "--debug"]) == code
    assert "The cell:" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_run_leaves_no_output_and_no_kernel(write, output, tmp_path, sent):
    source = write(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    command = "import sys\nfrom dgrasp.cli.main import main\nfrom dgrasp.cli.notebooks import kernels\n"
    command += "kernels.LOADED = ['ipykernel.kernelapp']\nsys.exit(main(sys.argv[1:]))"  # the cell needs no more
    program = started.start(command, "notebook", source, output)
    try:
        kernel = tmp_path / "pid"
        started.wait_until(lambda: kernel.is_file() and kernel.read_text())
        os.kill(program.pid, sent)
        assert program.ended() == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[sent]
        assert not output.exists()
        assert output.with_name("07_example.failed.ipynb").exists() == (sent != signal.SIGKILL)
        started.wait_until(lambda: not Path(f"/proc/{kernel.read_text()}").exists())
    finally:
        if program.runs:
            program.kill()
