import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import dgrasp


def test_every_public_name_loads():
    for name in dgrasp.__all__:
        assert getattr(dgrasp, name) is not None


@pytest.mark.parametrize("package", ["dgrasp", "dgrasp.sim", "dgrasp.robot"])
def test_no_public_name_is_that_of_a_module(package):
    """Which would be in its place as soon as anything has loaded the module."""
    found = importlib.import_module(package)
    assert found.__all__
    assert not {module.name for module in pkgutil.iter_modules(found.__path__)} & set(found.__all__)


def test_unknown_name_says_what_exists():
    with pytest.raises(AttributeError, match="slope_loss"):
        dgrasp.slop_loss  # noqa: B018


def test_the_front_docstring_names_every_folder_in_the_order_of_imports():
    """Its table is where a reader of the paper looks for a section's code."""
    package = Path(dgrasp.__file__).parent
    rows = re.findall(r"^ {4}(.{14}) ((\w+)(?:/|\.py) .*)$", dgrasp.__doc__, re.MULTILINE)
    stated = [folder for _, _, folder in rows]
    layers = re.findall(r"^ {4}(\w+)$", (package.parent / ".importlinter").read_text(), re.MULTILINE)
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(stated) - {"poses"} == folders - {"cli", "report"}, "and those two are in the text below it"
    assert stated == [layer for layer in layers if layer in stated]
    for _, row, folder in rows:
        for name in re.findall(r"\b(\w+(?:/|\.py))", row):
            places = package / name, package / folder / name
            assert any(path.exists() for path in places), f"{folder}: {name}"
