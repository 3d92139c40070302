"""Units of a series that were made before an interruption: kept if they are what was written, and made again if not."""

import json
import shutil
from dataclasses import dataclass

import joblib
import pytest

from dgrasp.evaluation.series import rows_of_units


@dataclass(frozen=True)
class Line:
    unit: str
    success: bool


def made(unit, calls):
    calls.append(unit)
    return [Line(unit, unit == "b"), Line(unit, False)]


@pytest.fixture
def series(tmp_path):
    calls = []

    def run(*names):
        units = {name: joblib.delayed(made)(name, calls) for name in names or "abc"}
        return rows_of_units(units, 1, desc="test", unit="unit", folder=tmp_path)

    run.calls, run.folder = calls, tmp_path
    return run


def test_what_is_there_is_not_made_again(series):
    first = series("a", "b")
    assert series.calls == ["a", "b"] and first[2] == {"unit": "b", "success": True}
    assert series()[:4] == first and series.calls == ["a", "b", "c"]


def emptied(path):
    path.write_text("")


def no_rows(path):
    path.write_text('{"rows": [], "unit": "b"}')


def flipped(path):
    path.write_text(path.read_text().replace("true", "false", 1))


def doubled(path):
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"rows": kept["rows"] * 2}))


def of_another(path):
    shutil.copy(path.with_name("a.json"), path)


def of_before(path):
    path.write_text('[{"unit": "b", "success": true}]')


@pytest.mark.parametrize("damage", [emptied, no_rows, flipped, doubled, of_another, of_before])
def test_a_damaged_unit_is_told_of_and_made_again(series, damage, capsys):
    expected = series()
    damage(series.folder / "b.json")
    series.calls.clear()
    assert series() == expected and series.calls == ["b"]
    said = [line for line in capsys.readouterr().err.splitlines() if "made again" in line]
    assert len(said) == 1 and str(series.folder / "b.json") in said[0]
