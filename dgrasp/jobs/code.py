"""The package as this process runs it: version and digest, which workers compare."""

from __future__ import annotations

from functools import cache

from dgrasp.fingerprints import package_digest
from dgrasp.version import VERSION


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
