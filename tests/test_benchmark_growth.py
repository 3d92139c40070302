"""The growth plot on a small table."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "plot_growth.py"
ROWS = """\
varied,poses,queries,images,width,seconds,mib,maps_mib
poses,16,18,2,128,0.02,5.4,80
poses,64,18,2,128,0.08,32.5,80
queries,32,6,2,128,0.017,,80
queries,32,18,2,128,0.031,7.5,80
width,32,18,2,32,0.016,,
"""


@pytest.fixture(scope="module")
def growth():
    spec = importlib.util.spec_from_file_location("plot_growth", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["plot_growth"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path):
    def write(text=ROWS):
        path = tmp_path / "growth.csv"
        path.write_text(text)
        return path

    return write


def test_one_panel_per_quantity_that_was_varied(growth, table):
    figure = growth.plot_growth(growth.read_growth(table()))
    panels = [ax for ax in figure.axes if ax.get_xlabel()]
    assert [ax.get_xlabel() for ax in panels] == ["candidate poses", "query points per pose", "width of Phi"]
    proportional, time = panels[0].lines[:2]
    assert time.get_ydata().tolist() == [0.02, 0.08]
    assert proportional.get_ydata().tolist() == pytest.approx([0.02, 0.08])
    memory = [ax for ax in figure.axes if ax not in panels]
    drawn = [[line.get_ydata().tolist() for line in ax.lines] for ax in memory]
    assert drawn == [[[5.4, 32.5], [80.0, 80.0]], [[7.5], [80.0, 80.0]]]  # what was not measured is not drawn
    assert {ax.get_ylim() for ax in memory} == {(0.0, 100.0)}


def test_the_command_writes_a_figure_beside_its_data(growth, table, capsys):
    path = table()
    assert growth.main([str(path)]) == 0
    assert path.with_suffix(".png").stat().st_size > 0
    assert growth.main([str(path.with_name("none.csv"))]) == 1
    assert "bench_plan.py growth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("varied,poses\nposes,1\n", "columns missing: queries, images, width, seconds, mib, maps_mib"),
        (ROWS.replace("width,32", "depth,32"), "names depth; known: poses"),
        (ROWS.replace("0.016", "0"), "positive seconds"),
    ],
)
def test_tables_that_cannot_be_drawn_are_named(growth, table, text, message):
    with pytest.raises(ValueError, match=message):
        growth.read_growth(table(text))


def test_the_axis_of_memory_is_named_once(growth, table):
    for text in (ROWS, ROWS.replace("0.016,,", "0.016,3.5,20")):  # the last panel without memory, and with it
        figure = growth.plot_growth(growth.read_growth(table(text)))
        assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == ["seconds of one step", "memory, MiB"]
