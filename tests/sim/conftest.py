"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dgrasp.cell.config import CellConfig
from dgrasp.sim.cell import Cell


@pytest.fixture(scope="module")
def cell() -> Iterator[Cell]:
    with Cell(CellConfig()) as made:
        yield made


@pytest.fixture
def textured_ycb(ycb_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of textured models, in use."""
    monkeypatch.setenv("DGRASP_YCB_DIR", str(ycb_dir))
    return ycb_dir


@pytest.fixture
def flat_ycb(monkeypatch: pytest.MonkeyPatch) -> None:
    """No textured models."""
    monkeypatch.delenv("DGRASP_YCB_DIR", raising=False)
