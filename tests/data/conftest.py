"""One small run of demonstrations for all tests of the data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from data_runs import CELL, SMALL

from dgrasp.data.demonstrations import open_demonstrations
from dgrasp.data.generate import generate_demonstrations
from dgrasp.runs import Run


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run, made in this process; not to be changed."""
    return generate_demonstrations(SMALL, CELL, tmp_path_factory.mktemp("demonstrations"), seed=3)


@pytest.fixture
def own_copy(demonstrations: Run, tmp_path: Path) -> Run:
    """A copy that a test may damage."""
    target = tmp_path / "runs" / demonstrations.path.name
    shutil.copytree(demonstrations.path, target)
    return open_demonstrations(target)
