"""Tasks of one's own are part of what a run is made from."""

import importlib
import sys
from pathlib import Path

import pytest

from dgrasp.cell.config import CellConfig
from dgrasp.data.config import DataConfig
from dgrasp.data.generate import generate_demonstrations
from dgrasp.sim.tasks.paper import task

SOURCE = """
from dgrasp.sim.tasks.paper import TASKS
class Mine(type(TASKS["simple"])):
    name = "mine"
    note = {note}
"""


@pytest.fixture
def write_task(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(note: int) -> str:
        (tmp_path / "a_task_of_mine.py").write_text(SOURCE.format(note=note))
        sys.modules.pop("a_task_of_mine", None)
        importlib.invalidate_caches()
        return "a_task_of_mine:Mine"

    return write


def test_another_task_module_is_another_run(write_task, tmp_path):
    def made(note: int) -> str:
        name = write_task(note)
        config = DataConfig(
            task=name, train_scenes=1, validation_scenes=0, objects_per_scene=1, views=1, policy_views=1
        )
        return generate_demonstrations(config, CellConfig(), tmp_path / "build").fingerprint

    first = made(1)
    assert made(1) == first
    assert made(2) != first


def test_a_task_that_cannot_be_imported_is_named():
    with pytest.raises(ValueError, match="'no_such_module:Task' cannot be imported"):
        task("no_such_module:Task")
