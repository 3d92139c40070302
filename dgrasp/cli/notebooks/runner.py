"""Run a notebook source, strictly: everything executed and nothing wrong, or no output at all.

The source is executed by papermill with a kernel of this very interpreter, in the source's folder, away from the user's
own IPython, Jupyter and Matplotlib settings. The output takes its final name only when every cell has run and every
registered figure and table is there; otherwise what there is stays as `<stem>.failed.ipynb` and NotebookError says
which cell failed, and how.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from dgrasp.cli.notebooks.kernels import ThisInterpreter
from dgrasp.cli.notebooks.source import (
    NotebookError,
    NotebookRefused,
    check_parameters,
    parameter_defaults,
    read_source,
)
from dgrasp.cli.notebooks.stale import inputs_of, output_digests, page_digest
from dgrasp.cli.watch import Above
from dgrasp.files import read_json, write_json
from dgrasp.provenance import provenance

IOPUB_TIMEOUT = 120  # seconds to wait for a cell's last outputs; nbclient's 4 lose them on a busy machine
START_TIMEOUT = 300  # seconds to wait for a kernel, for slow disks
STDERR_KEPT = 2000  # characters of each cell's stderr kept in the notebook's metadata
PICTURES = "module://matplotlib_inline.backend_inline"  # into the page, whatever MPLBACKEND the user has


@dataclass(frozen=True)
class _Job:
    """One notebook to run, and its files."""

    source: Path
    output: Path

    @property
    def partial(self) -> Path:
        return self.output.with_name(f".{self.output.stem}.partial.ipynb")

    @property
    def failed(self) -> Path:
        return self.output.with_name(f"{self.output.stem}.failed.ipynb")


def run_notebook(
    source: Path, output: Path, *, profile: str, build: Path | None = None, parameters: Mapping[str, Any] | None = None
) -> Path:
    """Execute `source` into `output`; returns `output`.

    `build` is where the notebook puts its runs and figures; by default the folder above that of `output`
    (`<build>/notebooks/<stem>.ipynb`). `profile` and `build` are handed to the notebook beside `parameters`.
    Raises NotebookRefused, before anything is written, and NotebookError.
    """
    job = _Job(Path(source).resolve(), Path(output).resolve())
    build = Path(build).resolve() if build else job.output.parent.parent
    given = _given(job, profile, parameters or {})
    notebook = read_source(job.source)
    check_parameters(job.source, parameter_defaults(job.source, notebook), {**given, "build": str(build)})
    inputs = inputs_of(job.source, job.output, given)

    job.failed.unlink(missing_ok=True)
    job.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _own_settings(build):
            _execute(notebook, job, {**given, "build": str(build)})
        executed = read_json(job.partial)
        _check_executed(job, executed)
        executed["metadata"]["papermill"] |= {"input_path": job.source.name, "output_path": job.output.name}
        stderr, outputs = _take_stderr(executed), output_digests(job.source.stem, build / "figures")
        made = {"inputs": inputs, "outputs": outputs, "page": page_digest(executed)}
        executed["metadata"]["dgrasp"] = {**made, "made_by": provenance(), "stderr": stderr}
        write_json(job.partial, executed)
        os.replace(job.partial, job.output)
    finally:
        if job.partial.exists():
            os.replace(job.partial, job.failed)
    return job.output


def _given(job: _Job, profile: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with the profile; raises NotebookRefused for what could not be honoured."""
    for name in ("profile", "build"):
        if name in parameters:
            raise NotebookRefused(f"{job.source}: parameter {name!r} is not given with the others; say --{name}")
    if job.output == job.source or (job.output.exists() and job.source.exists() and job.output.samefile(job.source)):
        raise NotebookRefused(f"{job.output}: output and source are the same file")
    if job.output.suffix != ".ipynb":
        raise NotebookRefused(f"{job.output}: an executed notebook is an .ipynb file")
    is_file = profile.endswith((".yaml", ".yml"))
    return {"profile": str(Path(profile).resolve()) if is_file else profile, **parameters}


@contextmanager
def _own_settings(build: Path) -> Iterator[None]:
    """Give IPython, Jupyter and Matplotlib folders in the build: no user settings enter, nothing goes elsewhere."""
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
    folders = {name: build / ".settings" / name.lower() for name in names}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    ours = {**{name: str(folder) for name, folder in folders.items()}, "MPLBACKEND": PICTURES}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _execute(notebook: NotebookNode, job: _Job, parameters: Mapping[str, Any]) -> None:
    try:
        papermill.execute_notebook(
            notebook,
            job.partial,
            parameters=dict(parameters),
            cwd=job.source.parent,
            progress_bar=False,
            stderr_file=Above(sys.stderr),
            start_timeout=START_TIMEOUT,
            iopub_timeout=IOPUB_TIMEOUT,
            coalesce_streams=True,
            kernel_manager_class=ThisInterpreter,
        )
    except PapermillExecutionError as error:
        executed = read_json(job.partial)["cells"]
        what = f"failed with {error.ename}: {error.evalue}"
        _fail(job, executed, _running(executed), what, error.ename, "\n".join(error.traceback))
    except (DeadKernelError, CellTimeoutError) as error:
        executed = read_json(job.partial)["cells"]
        _fail(job, executed, _running(executed), f"killed its kernel or hung (out of memory?): {error}")
    except RuntimeError as error:  # of the kernel manager
        raise NotebookError(f"{job.source}: no kernel of {sys.executable} could be started: {error}") from error


def _check_executed(job: _Job, executed: dict[str, Any]) -> None:
    """papermill calls cells completed that never ran; an execution count and the absence of errors are the proof."""
    cells = executed["cells"]
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        for result in cell["outputs"]:
            if result["output_type"] == "error":
                _fail(job, cells, index, f"ended the notebook early with {result['ename']}({result['evalue']})")
        if cell["execution_count"] is None:
            _fail(job, cells, index, "was not executed")


def _running(cells: Sequence[dict[str, Any]]) -> int:
    """The cell that was started last."""
    return max(
        (i for i, cell in enumerate(cells) if cell["metadata"].get("papermill", {}).get("start_time")), default=0
    )


def _fail(
    job: _Job, cells: Sequence[dict[str, Any]], index: int, what: str, exception: str | None = None, trace: str = ""
) -> NoReturn:
    """Raise NotebookError with the cell and its traceback as a note."""
    own = [i for i, cell in enumerate(cells) if not _added(cell)]
    number = f"{own.index(index) + 1} of {len(own)}" if index in own else "with the given parameters"
    error = NotebookError(f"{job.source}: cell {number} {what} (as far as it went: {job.failed})")
    error.failed_with = exception
    error.add_note(_plain(f"{trace}\n\nThe cell:\n\n{''.join(cells[index]['source'])}\n"))
    raise error from None


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
