"""What all tests share: where things are, and settings that make runs repeatable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# The same examples on every run, and no deadlines: a busy machine is not a failure.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def ycb_dir() -> Path:
    """YCB object models: DGRASP_YCB_DIR, or ../shared/ycb beside the repository; skips where neither exists."""
    folder = Path(os.environ.get("DGRASP_YCB_DIR") or ROOT.parent / "shared" / "ycb")
    if not folder.is_dir():
        pytest.skip("no YCB models: set DGRASP_YCB_DIR to a folder that holds them")
    return folder


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not write to; as root, the test runs as nobody."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)


@pytest.fixture(scope="session")
def smoke_build() -> Path:
    """What `make reproduce` left behind; skips where it has not run (`make test` runs it first)."""
    build = ROOT / "build" / "smoke"
    if not any(build.glob("notebooks/*.ipynb")):
        pytest.skip("no smoke build: run `make reproduce`, or `make test`, which does")
    return build
