"""What must be so where a job is made: the sender's code, and the sender's folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dgrasp.fingerprints import package_digest
from dgrasp.version import VERSION


class BackendError(ValueError):
    """Jobs cannot be made as asked; the message says what is missing, and where."""


@dataclass(frozen=True)
class Terms:
    """What the sender has: version and digest of the package, where it stands, and the folder that is written to."""

    version: str
    code: str
    standing: str
    folder: str | None = None

    @classmethod
    def here(cls, folder: Path | None = None) -> Terms:
        """This process's."""
        return cls(*code_here(), str(Path.cwd()), None if folder is None else str(folder))

    def broken(self) -> str:
        """What is otherwise in this process; empty if nothing."""
        if (there := code_here()) != (self.version, self.code):
            return other_code((self.version, self.code), there)
        if self.folder is not None and not Path(self.folder).is_dir():
            return f"the folder {self.folder} is not there: workers share the build folder, under the same path"
        return ""


@dataclass(frozen=True, eq=False)  # joblib's Dask backend hashes what it sends, which a job's arguments cannot
class Sent:
    """A job on its way to a process that others may have started, elsewhere, and at any time."""

    job: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    terms: Terms

    def __call__(self) -> Any:
        """Make it; relative paths mean what they mean to the sender. Raises BackendError where terms do not hold."""
        if why := self.terms.broken():
            raise BackendError(f"the worker on {platform.node()} (process {os.getpid()}): {why}")
        if self.terms.folder is not None and Path.cwd() != Path(self.terms.standing):
            os.chdir(self.terms.standing)
        call, arguments, options = self.job
        return call(*arguments, **options)


def code_here() -> tuple[str, str]:
    """Version and digest of this process's package."""
    return VERSION, loaded_code()


@cache
def loaded_code() -> str:
    """Digest of the package as it was when this process first asked: what has been edited since is not what it runs."""
    return package_digest("dgrasp")


def other_code(ours: tuple[str, str], theirs: tuple[str, str]) -> str:
    """The sentence for two packages (version, digest) that differ."""
    (version, code), (other, digest) = ours, theirs
    return (
        f"it has dgrasp {other} (code {digest[:8]}), and this is dgrasp {version} (code {code[:8]}): "
        "install the same there, and start the worker again"
    )
