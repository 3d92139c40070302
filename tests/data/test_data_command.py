"""The command line: any backend makes the same bytes, and says what it lacks."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path

import pytest
import yaml
from dask_clusters import cluster, loaded_workers
from data_runs import SMALL, contents

from dgrasp.cell.config import CellConfig
from dgrasp.cli.main import main
from dgrasp.data.generate import generate_demonstrations
from dgrasp.jobs import backends
from dgrasp.jobs.workforce import Workforce
from dgrasp.runs import Run


@pytest.fixture
def command(tmp_path: Path):
    """Run the command on the profile of the small runs; returns its exit code."""
    profile = tmp_path / "small.yaml"
    profile.write_text(yaml.safe_dump({"name": "small", "data": SMALL.model_dump(mode="json")}))
    given = ["--profile", str(profile), "--build", str(tmp_path / "build"), "--seed", "3"]
    return lambda *more: main(["demonstrations", *given, *more])


def made(tmp_path: Path) -> dict[str, bytes]:
    [run] = (tmp_path / "build" / "runs").iterdir()
    return contents(run)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}")


def test_a_local_dask_cluster_makes_the_same_bytes(command, demonstrations: Run, tmp_path: Path, capsys) -> None:
    with loaded_workers():
        assert command("--backend", "dask", "--workers", "2") == 0
    assert made(tmp_path) == contents(demonstrations.path)
    assert f"{demonstrations.summary['demonstrations']} demonstrations in 4 scenes" in capsys.readouterr().out


def test_a_running_dask_scheduler_makes_the_same_bytes(command, demonstrations: Run, tmp_path: Path) -> None:
    with cluster(threads=2) as running:
        assert command("--backend", "dask", "--scheduler", running.scheduler_address) == 0
    assert made(tmp_path) == contents(demonstrations.path)


@pytest.mark.slow
def test_ray_makes_the_same_bytes(command, demonstrations: Run, tmp_path: Path, monkeypatch) -> None:
    needs("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # writes no token into the home folder
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    import ray

    try:
        assert command("--backend", "ray", "--workers", "2") == 0
    finally:
        ray.shutdown()
    assert made(tmp_path) == contents(demonstrations.path)


def test_threads_make_the_same_bytes(command, demonstrations: Run, tmp_path: Path) -> None:
    assert command("--backend", "threading", "--workers", "2") == 0
    assert made(tmp_path) == contents(demonstrations.path)


def test_a_complete_set_starts_no_cluster(demonstrations: Run, tmp_path: Path, monkeypatch) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a cluster is started for nothing")

    monkeypatch.setattr(backends, "_dask", start)
    shutil.copytree(demonstrations.path.parent.parent, tmp_path, dirs_exist_ok=True)
    again = generate_demonstrations(SMALL, CellConfig(), tmp_path, seed=3, workers=Workforce(backend="dask"))
    assert again.summary == demonstrations.summary


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--backend", "dusk"], "unknown backend 'dusk'; backends: loky, threading, sequential, dask, ray"),
        (["--backend", "loky", "--scheduler", "tcp://localhost:1"], "a scheduler is Dask's"),
        (["--profile", "lapto"], "profiles: smoke, laptop, paper"),
    ],
)
def test_bad_options_are_refused_before_anything_is_made(command, tmp_path: Path, capsys, more, complaint) -> None:
    assert command(*more) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(("name", "advice"), [("ray", "pip install ray"), ("dask", 'pip install "dask[distributed]"')])
def test_a_missing_package_is_named(command, monkeypatch, capsys, name: str, advice: str) -> None:
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda _: None)
    assert command("--backend", name) == 1
    assert advice in capsys.readouterr().err


def test_an_unreachable_scheduler_is_one_line_and_loses_nothing(command, monkeypatch, capsys, tmp_path: Path) -> None:
    needs("distributed")
    monkeypatch.setattr(backends, "TIMEOUT", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    assert command("--backend", "dask", "--scheduler", address) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if address in line]
    assert len(said) == 1 and f"no Dask scheduler answers at '{address}'" in said[0]
    assert command() == 0 and made(tmp_path), "the same build goes on without a cluster"
