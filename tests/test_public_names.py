import pytest

import dgrasp


def test_every_public_name_loads():
    for name in dgrasp.__all__:
        assert getattr(dgrasp, name) is not None


def test_unknown_name_says_what_exists():
    with pytest.raises(AttributeError, match="slope_loss"):
        dgrasp.slop_loss  # noqa: B018
