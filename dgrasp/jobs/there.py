"""What must be so where a job is made: the sender's code, and the sender's folder."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgrasp.jobs.code import code_here, other_code
from dgrasp.jobs.probe import blind

GONE = "what is made is kept, and the same command goes on"


class BackendError(ValueError):
    """Jobs cannot be made as asked; the message says what is missing, and where."""


@dataclass(frozen=True)
class Terms:
    """What the sender has: version and digest of the package, where it stands, and the folder that is written to.

    mark: name and content of a file in that folder, by which it is told from another one of that path.
    """

    version: str
    code: str
    standing: str
    folder: str | None = None
    mark: str = ""

    @classmethod
    @contextmanager
    def kept(cls, folder: Path | None) -> Iterator[Terms]:
        """This process's; within this context the folder, which is made, has its mark."""
        mark = f".shared-{uuid.uuid4().hex}.tmp"
        if folder is None:
            yield cls(*code_here(), str(Path.cwd()))
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            (folder / mark).write_text(mark)
            yield cls(*code_here(), str(Path.cwd()), str(folder), mark)
        finally:
            (folder / mark).unlink(missing_ok=True)

    def broken(self) -> str:
        """What is otherwise in this process; empty if nothing."""
        if (there := code_here()) != (self.version, self.code):
            return other_code((self.version, self.code), there)
        if self.folder is not None and (why := blind(self.folder, self.mark)):
            return f"{self.folder}: {why}; workers share the build folder, under the same path"
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


def check_answers(answers: Mapping[str, Any], terms: Terms, who: str) -> None:
    """Raises BackendError naming all who cannot work on these terms, by what they said (`about_worker`), or raised."""
    broken = {name: why for name, about in answers.items() if (why := _broken(terms, about))}
    if broken:
        listed = "; ".join(f"{name}: {why}" for name, why in broken.items())
        raise BackendError(f"not every {who} can work for {terms.folder or terms.standing}: {listed}")


def _broken(terms: Terms, about: Any) -> str:
    """What keeps a worker from working; empty if nothing."""
    if isinstance(about, BaseException) or "error" in about:
        why = about if isinstance(about, BaseException) else about["error"]
        return f"dgrasp {terms.version} cannot be loaded there ({why}): install it there, and start the worker again"
    if tuple(about["code"]) != (terms.version, terms.code):
        return other_code((terms.version, terms.code), tuple(about["code"]))
    return str(about["blind"])
