import subprocess
import sys

import pytest

import dgrasp


def test_every_public_name_loads():
    for name in dgrasp.__all__:
        assert getattr(dgrasp, name) is not None


def test_unknown_name_says_what_exists():
    with pytest.raises(AttributeError, match="slope_loss"):
        dgrasp.slop_loss  # noqa: B018


def test_the_losses_and_the_optimizer_do_not_load_the_simulator():
    """The README promises that they know nothing of grasping."""
    code = "import sys; from dgrasp import slope_loss, optimize_poses; sys.exit('pybullet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
