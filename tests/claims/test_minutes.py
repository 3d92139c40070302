"""README's minutes are those that were measured."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
ROW = '<a href="x"><code>{}</code></a>:\nsomething of 3 ({} min).</td>\n'


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = spec_from_file_location("minutes", ROOT / "benchmarks" / "minutes.py")
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(module := module_from_spec(spec))
    return module


def test_readme_states_what_was_measured_of_every_notebook(tool):
    stated = tool.stated((ROOT / "README.md").read_text(encoding="utf-8"))
    assert stated == json.loads(tool.KEPT.read_text(encoding="utf-8"))
    assert set(stated) == {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")}


def test_minutes_come_from_executed_notebooks(tool, tmp_path):
    for name, seconds in (("00_a", 1.0), ("01_b", 75.0)):
        text = json.dumps({"metadata": {"papermill": {"duration": seconds}}})
        (tmp_path / f"{name}.ipynb").write_text(text)
    minutes = tool.measured(tmp_path)
    assert minutes == {"00_a": 0.1, "01_b": 1.2}
    page = tool.with_minutes(ROW.format("00_a", 9.9) + ROW.format("01_b", 9), minutes)
    assert tool.stated(page) == minutes and "of 3 (0.1 min)" in page
    with pytest.raises(FileNotFoundError, match="no executed notebooks"):
        tool.measured(tmp_path / "none")
