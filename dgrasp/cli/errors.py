"""One mouth for errors: the line that a command says when something is wrong, and its exit code.

    2    what the user gave: an option, a file, a folder
    1    the machine: disk, permission, network, memory, a package that is not installed; or a fault of dgrasp
    130  interrupted

Classes are looked up by name, so that nothing is loaded to say that something is missing.
"""

from __future__ import annotations

import dis
import errno
import traceback
from typing import Any

from dgrasp.lazy import COMPANION, INSTALL

INPUT, MACHINE, INTERRUPTED = 2, 1, 130

# Of an error's classes the nearest one that stands here decides.
CODES = {
    "dgrasp.cell.interface.CellFault": MACHINE,  # an arm, a gripper or a camera that does not answer
    "dgrasp.cell.following.NoSummit": INPUT,
    "dgrasp.cell.interface.NotArmed": INPUT,
    "dgrasp.cli.notebooks.source.NotebookError": MACHINE,  # a cell failed; `exit_code` looks at what with
    "dgrasp.cli.notebooks.source.NotebookRefused": INPUT,
    "dgrasp.devices.DeviceError": INPUT,
    "dgrasp.evaluation.study.storage.StudyError": INPUT,
    "dgrasp.experiment.profiles.ProfileError": INPUT,
    "dgrasp.experiment.store.RecordError": INPUT,
    "dgrasp.files.DamagedFileError": INPUT,
    "dgrasp.jobs.there.BackendError": INPUT,
    "dgrasp.locks.LockError": MACHINE,  # somebody else is at work
    "dgrasp.nerf.imagenet_encoder.MissingWeightsError": MACHINE,
    "dgrasp.policy.policies.NoGraspError": INPUT,
    "dgrasp.report.outputs.OutputRefused": INPUT,
    "dgrasp.robot.log.LogError": INPUT,
    "dgrasp.robot.calibration.solve.NoSolution": INPUT,
    "dgrasp.runs.RunError": INPUT,
    "dgrasp.sim.objects.ycb_download.DownloadError": MACHINE,
    "dgrasp.sim.objects.ycb_download.UnknownObjectError": INPUT,
    "builtins.ValueError": INPUT,  # pydantic's ValidationError and UnicodeDecodeError among them
    "builtins.FileExistsError": INPUT,
    "builtins.FileNotFoundError": INPUT,
    "builtins.IsADirectoryError": INPUT,
    "builtins.NotADirectoryError": INPUT,
    "builtins.OSError": MACHINE,  # PermissionError, a full disk, ConnectionError, TimeoutError
    "builtins.ImportError": MACHINE,
    "builtins.MemoryError": MACHINE,
    "sqlalchemy.exc.ArgumentError": INPUT,  # `runtime.studies`
    "sqlalchemy.exc.OperationalError": MACHINE,
    "joblib.externals.loky.process_executor.TerminatedWorkerError": MACHINE,
    "torch.OutOfMemoryError": MACHINE,
}
OF_USERS = ("dgrasp.data.captures.document.CaptureError", "dgrasp.files.UserFileError")
ADVICE = {
    errno.ENOSPC: "free some space, and the same command goes on",
    errno.EEXIST: "a folder is needed there; choose another path",
    errno.ENOTDIR: "a folder is needed there; choose another path",
    errno.EDQUOT: "free some space, and the same command goes on",
    errno.EROFS: "choose another folder",
    errno.EACCES: "choose another folder, or change its permissions",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EPERM: "choose another folder, or change its permissions",
}
ARRAYS = ("numpy", "scipy", "torch", "pandas", "roma", "trimesh")
REFUSED = (errno.EACCES, errno.EPERM, errno.EIO)  # the machine's, whoever wrote the file
NO_PATH = (errno.ELOOP, errno.ENAMETOOLONG)  # what was given can be no path


def exit_code(error: BaseException) -> int:
    """What the command ends with."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    cause = error.__cause__
    says_another = cause is not None and (not _of_user(error) or getattr(cause, "errno", None) in REFUSED)
    if says_another and (known := _code(cause)) is not None:
        return known  # an error of ours that says what another means
    if (failed_with := getattr(error, "failed_with", None)) is not None:  # in a cell of a notebook
        return next((code for name, code in CODES.items() if name.rpartition(".")[2] == failed_with), MACHINE)
    return _code(error) or MACHINE


def explained(error: BaseException) -> str:
    """One line: where, what was found, and what is allowed."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command goes on where it stopped"
    if _code(error) is None:
        where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        at = f" ({where.filename}, line {where.lineno})" if where else ""
        return one_line(f"unexpected {type(error).__name__}: {error}{at}; --debug shows the traceback")
    if isinstance(error, OSError) and error.strerror:
        return one_line(_system(error))
    if hasattr(error, "errors") and hasattr(error, "error_count"):  # pydantic's
        return one_line(f"{error.title}: " + "; ".join(map(_setting, error.errors())))  # type: ignore[attr-defined]
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in COMPANION:
        return one_line(f"{str(error).removesuffix(INSTALL)}{INSTALL}")
    return one_line(str(error) or type(error).__name__)


def one_line(text: str) -> str:
    """The text's lines, one after the other."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _of_arrays(error: BaseException | None) -> bool:
    """Whether arrays did not fit, or the like, which nobody stated in our words: a fault of dgrasp.

    Such a ValueError was raised in a library of `ARRAYS`, or by a compiled function that we called, where our own line
    raises nothing. Of subclasses (pydantic's, of JSON and of texts) and of other libraries the message is enough.
    """
    if type(error) is not ValueError or error.__traceback__ is None or "null" in str(error):  # a path's null byte
        return False
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    package = str(last.tb_frame.f_globals.get("__name__")).partition(".")[0]
    raised = dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")
    return package in ARRAYS or (package == "dgrasp" and not raised)


def _of_user(error: BaseException) -> bool:
    """Whether a file of the user's is wrong."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in OF_USERS for kind in type(error).__mro__)


def _code(error: BaseException | None) -> int | None:
    if _of_arrays(error):
        return None
    if isinstance(error, OSError) and error.errno in NO_PATH:
        return INPUT
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((CODES[name] for name in names if name in CODES), None)


def _system(error: OSError) -> str:
    advice = ADVICE.get(error.errno or 0)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}{f'; {advice}' if advice else ''}"


def _setting(problem: Any) -> str:
    from dgrasp.config import got, where, words

    return f"{where(problem)}{words(problem)}{got(problem)}"
