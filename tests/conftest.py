"""What all tests share: where things are, and settings that make runs repeatable."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# One thread each: tests run side by side, and two threads of two processes on two cores stall each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
FIRST = (
    "tests/experiment/test_chain.py",
    "tests/value/test_two_processes.py",
    "tests/report/test_explorer_in_lab.py",
)
TOGETHER = {
    "smoke": (
        "tests/notebooks/test_smoke_build.py",
        "tests/notebooks/test_built.py",
        "tests/report/test_site_in_browser.py",
    ),
    "ports": (
        "tests/robot/test_robot_loopback.py",
        "tests/robot/test_robot_first_steps.py",
        "tests/robot/test_robot_following.py",
    ),
}
CAPABILITIES = 0x20080522  # version 3 of the interface, see capget(2)
POWER_OVER_PERMISSIONS = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
SMOKE_SECONDS = 2400  # at most, for `smoke_build`

# The same examples on every run, and no deadlines: a busy machine is not a failure.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def ycb_dir() -> Path:
    """YCB object models: DGRASP_YCB_DIR, or ../shared/ycb beside the repository; skips where neither exists."""
    folder = Path(os.environ.get("DGRASP_YCB_DIR") or ROOT.parent / "shared" / "ycb")
    if not folder.is_dir():
        pytest.skip("no YCB models: set DGRASP_YCB_DIR to a folder that holds them")
    return folder


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not write to; as root, the test runs without root's power over permissions.

    Not as another user, who might not be allowed to read the interpreter's modules.
    """
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    if os.geteuid() != 0:
        yield folder
        return
    if sys.platform != "linux":
        pytest.skip("root may write everywhere")
    before = capabilities()
    use_capabilities([before[0] & ~POWER_OVER_PERMISSIONS, *before[1:]])
    yield folder
    use_capabilities(before)


def capabilities() -> list[int]:
    """Of this thread, as Linux has them: effective, permitted, inheritable, and the same for those from the 32nd on."""
    words = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capget((ctypes.c_uint32 * 2)(CAPABILITIES, 0), words) == 0
    return list(words)


def use_capabilities(words: list[int]) -> None:
    assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)(*words)) == 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="bring build/smoke up to date for the tests that read it")


def pytest_itemcollected(item: pytest.Item) -> None:
    if group_of(item.nodeid) == "smoke":
        item.add_marker(pytest.mark.timeout(SMOKE_SECONDS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first and does not end alone: the smoke build, and the robot, which waits much.

    The robot's controller answers 125 times a second, and its client gives it up where it cannot: so it has one more
    process than there are cores (`pytest_xdist_auto_num_workers`), and priority where that is allowed.
    """
    first = ["smoke", "ports", *FIRST]

    def rank(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        return first.index(group) if group in first else len(first)

    items.sort(key=rank)


def group_of(nodeid: str) -> str:
    """What is tested by one process, in parallel runs: a file, or files that share ports or the smoke build."""
    file = nodeid.partition("::")[0]
    return next((name for name, files in TOGETHER.items() if file in files), file)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: one process more than there are cores, since the robot's tests wait most of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`-n 2 --dist load`: groups instead of single tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # they are in order
    return Groups(config, log)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def smoke_build(request: pytest.FixtureRequest) -> Path:
    """What `make reproduce` leaves behind: made here with `--smoke`, else skipped where it is not there.

    By one process, without the profile's two workers: they would load everything for each stage, and the other cores
    are busy with other tests. No number depends on it.
    """
    build = ROOT / "build" / "smoke"
    if request.config.getoption("--smoke"):
        command = [sys.executable, "-m", "dgrasp", "--debug", "reproduce", "--profile", "smoke"]
        alone = {**os.environ, "DGRASP_WORKERS": "1"}
        made = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
        assert made.returncode == 0, f"make reproduce failed:\n{made.stderr[-8000:]}"
    if not any(build.glob("notebooks/*.ipynb")):
        pytest.skip("no smoke build: run `make reproduce`, or `make test`, which does")
    return build
