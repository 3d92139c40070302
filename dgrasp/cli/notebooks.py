"""Run a notebook source, strictly: everything executed and nothing wrong, or no output at all.

    python -m dgrasp.cli.notebooks run notebooks/03_training.py build/smoke/notebooks/03_training.ipynb --profile smoke

The source is a Jupytext percent file with a kernelspec header and one cell tagged `parameters`. It is executed
by papermill with a kernel of this very interpreter, in the source's folder, away from the user's own
IPython, Jupyter and Matplotlib settings. The output takes its final name only when every cell has run;
otherwise what there is stays as `<stem>.failed.ipynb` and NotebookError says which cell failed, and how.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

import dgrasp
from dgrasp.files import DamagedFileError, read_json, write_json
from dgrasp.fingerprints import package_digest
from dgrasp.provenance import provenance

IOPUB_TIMEOUT = 120  # seconds to wait for a cell's last outputs; nbclient's 4 lose them on a busy machine
START_TIMEOUT = 300  # seconds to wait for a kernel, for slow disks
SETTINGS = (".yaml", ".json", ".mplstyle")  # files of the package, beside its code, that outputs depend on
STDERR_KEPT = 2000  # characters of each cell's stderr kept in the notebook's metadata


class NotebookError(RuntimeError):
    """A notebook cannot be run or did not run to its end; the message names notebook, cell and cause."""


class ThisInterpreter(AsyncKernelManager):
    """Starts kernels of the running interpreter, whatever kernelspecs are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        launcher = ["-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
        return KernelSpec(argv=[sys.executable, *launcher], display_name="Python 3", language="python")


def run_notebook(
    source: Path, output: Path, *, profile: str, build: Path | None = None, parameters: Mapping[str, Any] | None = None
) -> Path:
    """Execute `source` into `output`; returns `output`.

    `build` is where the notebook puts its runs and figures; by default the folder above that of `output`
    (`<build>/notebooks/<stem>.ipynb`). `profile` and `build` are handed to the notebook beside `parameters`.
    Raises NotebookError.
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    build = Path(build).resolve() if build else output.parent.parent
    notebook = read_source(source)
    given = {"profile": profile, **(parameters or {})}
    _check_parameters(source, parameter_defaults(source, notebook), {**given, "build": str(build)})
    inputs = inputs_of(source, given)

    partial, failed = output.with_name(f".{output.stem}.partial.ipynb"), output.with_name(f"{output.stem}.failed.ipynb")
    failed.unlink(missing_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _own_settings(build):
            _execute(notebook, partial, source, {**given, "build": str(build)})
        executed = read_json(partial)
        _check_executed(source, executed)
        executed["metadata"]["papermill"] |= {"input_path": source.name, "output_path": output.name}
        executed["metadata"]["dgrasp"] = {"inputs": inputs, "made_by": provenance(), "stderr": _take_stderr(executed)}
        write_json(partial, executed)
        os.replace(partial, output)
    finally:
        if partial.exists():
            os.replace(partial, failed)
    return output


def read_source(source: Path) -> NotebookNode:
    """Read a percent source; raises NotebookError if it lacks the kernelspec header or the one parameters cell."""
    if not source.is_file():
        raise NotebookError(f"{source}: no such notebook source")
    try:
        notebook = jupytext.read(source, fmt="py:percent")
    except UnicodeDecodeError as error:
        raise NotebookError(f"{source}: not a text in UTF-8 ({error})") from error
    if "kernelspec" not in notebook.metadata:
        raise NotebookError(f"{source}: no kernelspec in the header; add one with `jupytext --set-kernel python3`")
    tagged = sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)
    if tagged != 1:
        raise NotebookError(f"{source}: expected one cell tagged 'parameters', found {tagged}")
    return notebook


def parameter_defaults(source: Path, notebook: NotebookNode) -> dict[str, Any]:
    """Name and default of each parameter; raises NotebookError unless the cell holds plain assignments of literals."""
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    defaults = {}
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as error:
        raise NotebookError(f"{source}: parameters cell, line {error.lineno}: {error.msg}: {error.text}") from None
    for statement in statements:
        try:
            (target,) = statement.targets if isinstance(statement, ast.Assign) else (statement.target,)  # type: ignore[attr-defined]
            defaults[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined, union-attr]
        except (AttributeError, ValueError, TypeError):
            text = ast.unparse(statement)
            raise NotebookError(f"{source}: parameters cell: expected `name = literal`, got `{text}`") from None
    return defaults


def inputs_of(source: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What an executed notebook was made from: digests of its source and of the package, and its parameters."""
    package = hashlib.sha256(package_digest("dgrasp").encode())
    for settings in sorted(p for p in Path(dgrasp.__file__).parent.rglob("*") if p.suffix in SETTINGS):
        package.update(settings.read_bytes())
    return {
        "source": source.name,
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "package_sha256": package.hexdigest(),
        "parameters": dict(sorted(parameters.items())),
    }


def stale_because(output: Path, source: Path) -> str | None:
    """Why the executed notebook `output` is not what `source` and the package would give now; None if it is."""
    recorded = read_json(output)["metadata"].get("dgrasp", {}).get("inputs")
    if recorded is None:
        return "it was not made by this runner"
    now = inputs_of(source, recorded["parameters"])
    changed = [name for name in now if now[name] != recorded.get(name)]
    return f"{', '.join(changed)} changed" if changed else None


def _check_parameters(source: Path, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in defaults:
            raise NotebookError(f"{source}: unknown parameter {name!r}; parameters: {', '.join(defaults)}")
        kinds = (int, float) if type(defaults[name]) is float else (type(defaults[name]),)
        if defaults[name] is not None and type(value) not in kinds:
            kind = type(defaults[name]).__name__
            raise NotebookError(f"{source}: parameter {name!r} is of type {kind} ({defaults[name]!r}), got {value!r}")


@contextmanager
def _own_settings(build: Path) -> Iterator[None]:
    """Give IPython, Jupyter and Matplotlib folders in the build: no user settings enter, nothing goes elsewhere."""
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
    before = {name: os.environ.get(name) for name in names}
    for name in names:
        folder = build / ".settings" / name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _execute(notebook: NotebookNode, partial: Path, source: Path, parameters: Mapping[str, Any]) -> None:
    try:
        papermill.execute_notebook(
            notebook,
            partial,
            parameters=dict(parameters),
            cwd=source.parent,
            progress_bar=False,
            stderr_file=sys.stderr,
            start_timeout=START_TIMEOUT,
            iopub_timeout=IOPUB_TIMEOUT,
            coalesce_streams=True,
            kernel_manager_class=ThisInterpreter,
        )
    except PapermillExecutionError as error:
        traceback = "\n".join(error.traceback) or f"{error.ename}: {error.evalue}"
        executed = read_json(partial)["cells"]
        _fail(source, executed, _running(executed), f"failed\n\n{_plain(traceback)}")
    except (DeadKernelError, CellTimeoutError) as error:
        executed = read_json(partial)["cells"]
        _fail(source, executed, _running(executed), f"killed its kernel or hung (out of memory?): {error}")
    except RuntimeError as error:  # of the kernel manager
        raise NotebookError(f"{source}: no kernel of {sys.executable} could be started: {error}") from error


def _check_executed(source: Path, executed: dict[str, Any]) -> None:
    """papermill calls cells completed that never ran; an execution count and the absence of errors are the proof."""
    cells = executed["cells"]
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        for result in cell["outputs"]:
            if result["output_type"] == "error":
                _fail(source, cells, index, f"ended the notebook early with {result['ename']}({result['evalue']})")
        if cell["execution_count"] is None:
            _fail(source, cells, index, "was not executed")


def _running(cells: Sequence[dict[str, Any]]) -> int:
    """The cell that was started last."""
    return max(
        (i for i, cell in enumerate(cells) if cell["metadata"].get("papermill", {}).get("start_time")), default=0
    )


def _fail(source: Path, cells: Sequence[dict[str, Any]], index: int, what: str) -> None:
    own = [i for i, cell in enumerate(cells) if not _added(cell)]
    number = f"{own.index(index) + 1} of {len(own)}" if index in own else "with the given parameters"
    code = "".join(cells[index]["source"])
    raise NotebookError(f"{source}: cell {number} {what}\n\nThe cell:\n\n{code}\n")


def _added(cell: dict[str, Any]) -> bool:
    """Whether papermill put the cell there: injected parameters and markers of errors."""
    return bool({"injected-parameters", "papermill-error-cell-tag"} & set(cell["metadata"].get("tags", [])))


def _plain(text: str) -> str:
    """Text without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _take_stderr(executed: dict[str, Any]) -> list[dict[str, Any]]:
    """Take what cells wrote to stderr (progress, warnings) out of the pages; returns it, shortened, for the record."""
    taken = []
    for index, cell in enumerate(executed["cells"]):
        results = cell.get("outputs", [])
        errors = [result for result in results if result.get("name") == "stderr"]
        taken += [{"cell": index, "text": _plain("".join(result["text"]))[-STDERR_KEPT:]} for result in errors]
        if errors:
            cell["outputs"] = [result for result in results if result not in errors]
    return taken


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not (separator and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    return name, _literal(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dgrasp.cli.notebooks", description="Run a notebook source, strictly."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="execute SOURCE (Jupytext percent) into OUTPUT (.ipynb)")
    run.add_argument("source", type=Path, metavar="SOURCE")
    run.add_argument("output", type=Path, metavar="OUTPUT")
    run.add_argument("--profile", default="smoke", help="how much to compute (default: smoke)")
    run.add_argument("--build", type=Path, help="folder for runs and figures (default: the one above OUTPUT's)")
    run.add_argument("-p", dest="parameters", type=_assignment, action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the kernel is shut down too
    name, started = options.source.stem, time.monotonic()
    print(f"{name}: running (profile {options.profile})", file=sys.stderr, flush=True)
    try:
        run_notebook(
            options.source,
            options.output,
            profile=options.profile,
            build=options.build,
            parameters=dict(options.parameters),
        )
    except (NotebookError, DamagedFileError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the same command goes on where the stages stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    print(f"{name}: done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
