"""README.md as a whole: what `make figures` writes into it, and its code. Its numbers: `test_statements.py`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dgrasp.experiment.chain import Experiment
from dgrasp.report.readme import BEGIN, END, results_block, write_results
from dgrasp.report.studio import Studio

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


def test_make_figures_would_write_what_stands_there(experiment, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write_results(page, results_block(Studio(experiment)))
    assert page.read_text(encoding="utf-8") == README.read_text(encoding="utf-8")
    write_results(page, f"{BEGIN}\nother\n{END}")
    assert "\nother\n" in page.read_text(encoding="utf-8")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place for results"):
        write_results(page, "")


def test_the_six_lines_plan_a_grasp(monkeypatch, tmp_path, capsys):
    (code,) = re.findall(r"## Plan a grasp\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert found["plan"].T_world_tcp.shape == (4, 4) and f"{found['plan'].value}" in capsys.readouterr().out


def test_lines_are_short_and_the_animation_is_light():
    assert max(len(line) for line in README.read_text(encoding="utf-8").splitlines()) < 120
    assert (ROOT / "figures" / "climb.gif").stat().st_size < 2 * 2**20
