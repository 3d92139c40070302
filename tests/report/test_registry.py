"""Completeness: paper, registry and notebooks name the same figures and tables."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from dgrasp.report.registry import OUTPUTS, output, outputs_of
from dgrasp.report.studio import HOMES
from dgrasp.report.tables.paper import paper_rate, paper_values

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_every_figure_and_table_of_the_paper_is_registered():
    places = {o.paper_place for o in OUTPUTS}
    assert places >= {f"Figure {i}" for i in range(1, 8)} | {"Table 1", "Table 2"}


def test_ids_are_unique_and_notebooks_exist():
    assert len({o.id for o in OUTPUTS}) == len(OUTPUTS)
    for entry in OUTPUTS:
        source = NOTEBOOKS / f"{entry.notebook}.py"
        assert source.is_file(), entry
        assert f'studio.make("{entry.id}"' in source.read_text(), f"{source.name} does not make {entry.id}"
        assert hasattr(import_module(f"dgrasp.report.figures.{HOMES[entry.id]}"), f"draw_{entry.id}")


def test_what_needs_a_robot_is_not_called_reproduced():
    """No robot moved, and the paper's rates are those of its own cell and objects."""
    assert {o.id for o in OUTPUTS if o.status == "not attempted"} == {"tab02", "fig07"}
    assert output("tab01").status == "direction only"
    assert all((o.status == "ours") == (o.paper_place is None) for o in OUTPUTS)


def test_readme_names_every_notebook_with_the_outputs_it_makes():
    readme = (NOTEBOOKS.parent / "README.md").read_text()
    rows = re.findall(r"<tr>.*?</tr>", readme, re.DOTALL)
    for entry in OUTPUTS:
        (row,) = [row for row in rows if f"<code>{entry.notebook}</code>" in row]
        if entry.paper_place is None:
            continue
        number = entry.paper_place.split()[1]
        assert entry.paper_place in row or (entry.kind == "figure" and number in row), entry.id


def test_unknown_output_names_what_exists():
    with pytest.raises(KeyError, match="tab01"):
        output("tab1")
    assert {o.id for o in outputs_of("05_simulated_grasping")} == {"tab01", "rates", "by_object", "fig06"}


def test_paper_values_equal_the_printed_averages():
    """The paper prints an average of the three tasks beside them: transcription errors would show here."""
    averages = (0.633, 0.584, 0.645, 0.635, 0.612, 0.659, 0.679, 0.688, 0.649)
    printed = dict(zip(["base_reported", *paper_values()["tab01"]["rates"]], averages, strict=True))
    for policy, average in printed.items():
        rates = [paper_rate("tab01", policy, task) for task in ("simple", "clutter", "novel")]
        assert sum(rates) / 3 == pytest.approx(average, abs=6e-4), policy  # three rates rounded, then their mean


def test_paper_rates_are_shares_of_the_attempts():
    values = paper_values()
    for policy, rates in values["tab02"]["rates"].items():
        assert (rates["real"] * 50) == pytest.approx(round(rates["real"] * 50)), policy
    assert paper_rate("tab01", "control_quat_seq", "simple") is None
