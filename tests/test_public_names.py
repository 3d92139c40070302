import importlib
import pkgutil

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
