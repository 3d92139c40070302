"""`dgrasp doctor`: what is there is found, and what is missing is said with what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from dgrasp.cli import machine
from dgrasp.cli.finding import GIB, Finding
from dgrasp.cli.machine import probe
from dgrasp.cli.main import main
from dgrasp.sim.objects import ycb

TORCH = {
    "version": "2.9.0+cpu",
    "threads": 2,
    "build": "CPU",
    "bf16": False,
    "gpus": [],
    "gpu_bf16": False,
    "mps": False,
}
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def versions(monkeypatch) -> dict[str, str]:
    """Installed packages and their versions, to be changed."""
    installed = dict.fromkeys(("pybullet", *machine.NOTEBOOK_PACKAGES), "1.0")
    monkeypatch.setattr(machine, "_version", installed.get)
    return installed


@pytest.fixture
def works(monkeypatch, versions, tmp_path) -> Path:
    """A machine on which the core works; its libraries are not started. Returns its build folder."""
    monkeypatch.setattr(machine, "probe", lambda code: TORCH if "torch" in code else {"api": 1, "pixels": "tuple"})
    monkeypatch.setattr(machine, "_memory_bytes", lambda: 32 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GIB, 0, 50 * GIB))
    monkeypatch.setenv("DGRASP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "build"


def doctor(build: Path, capsys, *more: str) -> tuple[int, str]:
    code = main(["doctor", "--build", str(build), *more])
    return code, capsys.readouterr().out


def test_the_page_of_a_machine_that_works(works, capsys):
    code, page = doctor(works, capsys)
    assert code == 0 and page.rstrip().endswith("The core works.")
    for name in ("Python", "torch", "bfloat16", "GPU", "PyBullet", "Jupyter", "memory", "build folder", "cache",
                 "YCB textures", "git", "make", "browser", "libusb", "robot's drivers"):  # fmt: skip
        assert any(line[4:].startswith(name) for line in page.splitlines()), name
    assert not works.exists(), "it changes nothing"


def test_the_same_for_programs(works, capsys):
    code, text = doctor(works, capsys, "--json")
    answer = json.loads(text)
    assert code == 0 and answer["works"] is True
    findings = {f["name"]: f for f in answer["findings"]}
    assert findings["torch"]["found"].startswith("2.9.0+cpu, CPU build, 2 of ")
    assert all(f["purpose"] and f["found"] and f["status"] in ("ok", "limited", "missing") for f in findings.values())
    assert {name for name, f in findings.items() if f["core"]} == {
        "Python", "torch", "PyBullet", "Jupyter", "memory", "build folder", "cache"
    }  # fmt: skip


@pytest.mark.parametrize("what", ["torch", "pybullet"])
def test_a_library_that_does_not_start_is_named(works, monkeypatch, capsys, what):
    good = machine.probe
    broken = {"error": "ImportError: libstdc++.so.6: cannot open shared object file"}
    monkeypatch.setattr(machine, "probe", lambda code: broken if f"import json, {what}" in code else good(code))
    code, page = doctor(works, capsys)
    said = " ".join(page.split())
    assert code == 1
    assert "libstdc++.so.6: cannot open shared object file" in said and "make env" in said
    assert f"The core does not work: {'torch' if what == 'torch' else 'PyBullet'}." in said


@pytest.mark.parametrize(
    ("change", "name", "found"),
    [
        ({"jupytext": None, "papermill": None}, "Jupyter", "no jupytext, papermill"),
        ({"pybullet": None}, "PyBullet", "not installed"),
    ],
)
def test_a_missing_package_of_the_core(works, versions, capsys, change, name, found):
    versions.update(change)
    code, page = doctor(works, capsys)
    assert code == 1
    assert found in page and f"The core does not work: {name}." in page


def test_either_distribution_of_pybullet_serves_but_not_both(works, versions):
    assert machine.physics({}).found == "pybullet 1.0"
    versions["pybullet-arm64"] = "3.2.8"
    both = machine.physics({})
    assert (
        both.status == "limited" and both.found == "pybullet 1.0, pybullet-arm64 3.2.8" and "uninstall" in both.advice
    )
    del versions["pybullet"]
    assert machine.physics({}) == Finding("PyBullet", "ok", "pybullet-arm64 3.2.8", "the simulated cell", core=True)


def test_no_home_folder(works, monkeypatch, capsys):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DGRASP_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    code, page = doctor(works, capsys)
    assert code == 1 and "The core does not work: cache." in page


def test_before_there_is_an_environment(root, tmp_path):
    """With the standard library alone, as `make doctor` calls it before `make env`."""
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "dgrasp", "doctor", "--json", "--build", str(tmp_path)],
        env={"PYTHONPATH": str(root), "DGRASP_CACHE": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert bare.returncode == 1, bare.stderr
    found = {f["name"]: f["status"] for f in json.loads(bare.stdout)["findings"] if f["core"]}
    assert {name for name, status in found.items() if status == "missing"} >= {"PyBullet", "Jupyter"}
    assert found["Python"] == "ok"


def test_an_old_python(works, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    code, page = doctor(works, capsys)
    assert code == 1 and "use Python 3.11 to 3.13, 64 bit" in page


@pytest.mark.parametrize(("gib", "code", "status"), [(2, 1, "missing"), (8, 0, "limited"), (12, 0, "ok")])
def test_memory(works, monkeypatch, capsys, gib, code, status):
    monkeypatch.setattr(machine, "_memory_bytes", lambda: gib * GIB)
    assert doctor(works, capsys)[0] == code
    assert machine.memory().status == status


def test_memory_is_what_the_readme_says(root):
    page = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert f"{machine.SMOKE_MEMORY} GiB of memory;" in page and f"about {machine.LAPTOP_MEMORY} GiB of memory" in page


def test_a_container_s_memory_is_what_it_may_use(tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("1073741824\n")
    assert machine._memory_bytes(limit) == GIB
    limit.write_text("max\n")
    assert machine._memory_bytes(limit) == machine._memory_bytes(tmp_path / "absent") > GIB


@pytest.mark.parametrize(("gib", "code", "status"), [(0.01, 1, "missing"), (0.5, 0, "limited"), (20, 0, "ok")])
def test_disk(works, monkeypatch, capsys, gib, code, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GIB, 0, gib * GIB))
    assert doctor(works, capsys)[0] == code
    found = machine.disk("build folder", works / "laptop", "runs", machine.SMOKE_DISK, machine.LAPTOP_DISK)
    assert found.status == status and str(works.parent) in found.found


def test_folders_that_may_not_be_written(works, closed_folder):
    closed = machine.disk("cache", closed_folder / "dgrasp", "models", 0.1, 0.1)
    assert closed.status == "missing" and "may not be written" in closed.found and "DGRASP_CACHE" in closed.advice


def test_a_file_in_the_place_of_a_folder(works, capsys, tmp_path):
    (tmp_path / "cache").write_text("")
    code, page = doctor(works, capsys)
    assert code == 1 and "is no folder" in " ".join(page.split())


@pytest.mark.parametrize(
    ("torch", "driver", "status", "found"),
    [
        ({}, None, "missing", "none"),
        ({}, "/usr/bin/nvidia-smi", "limited", "an NVIDIA driver, which this torch (CPU build) does not use"),
        ({"gpus": ["A card", "A card"], "build": "CUDA 12.8"}, "/usr/bin/nvidia-smi", "ok", "A card, A card"),
        ({"mps": True}, None, "ok", "Apple's, by MPS (runtime.device: mps)"),
    ],
)
def test_gpus(monkeypatch, torch, driver, status, found):
    monkeypatch.setattr(shutil, "which", lambda _: driver)
    seen = machine.accelerator(TORCH | torch)
    assert (seen.status, seen.found) == (status, found)


@pytest.mark.parametrize(
    ("torch", "found"),
    [
        ({}, "not native here"),
        ({"bf16": True}, "native on the processor"),
        ({"bf16": True, "gpu_bf16": True}, "native on the processor and the GPU"),
    ],
)
def test_bfloat16(torch, found):
    assert machine.precision(TORCH | torch).found == found


def test_ycb_textures(monkeypatch, tmp_path):
    monkeypatch.delenv(ycb.ENVIRONMENT, raising=False)
    assert machine.ycb_textures().status == "limited"
    monkeypatch.setenv(ycb.ENVIRONMENT, str(tmp_path))
    for facts in ycb.NOVEL:
        (tmp_path / facts.name).mkdir()
        (tmp_path / facts.name / "textured.obj").touch()
        (tmp_path / facts.name / "texture_map.png").touch()
    assert machine.ycb_textures().status == "ok"
    (tmp_path / "pear" / "textured.obj").unlink()
    lacking = machine.ycb_textures()
    assert lacking.status == "missing" and lacking.found.endswith("lacks pear") and "dgrasp ycb" in lacking.advice


def test_programs_and_libraries_that_are_not_there(works, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(machine.ctypes.util, "find_library", lambda _: None)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _: None)
    code, page = doctor(works, capsys)
    said = " ".join(page.split())
    assert code == 0, "the core works without"
    for part in (
        "git not on the PATH", "without it results name no commit", "make not on the PATH",
        "no Chromium, chromedriver, selenium", "apt install chromium chromium-driver", "apt install libusb-1.0-0",
        "no UR controller (rtde_control), D415 camera (pyrealsense2), calibration (cv2)",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print('noise'); print('{\"a\": 1}')", {"a": 1}),
        ("import not_there_at_all", {"error": "ModuleNotFoundError: No module named 'not_there_at_all'"}),
        ("import os; os.kill(os.getpid(), 4)", {"error": "it crashed with signal 4"}),
    ],
)
def test_a_probe_survives_what_it_looks_at(code, answer):
    assert probe(code) == answer


def test_the_probes_of_this_machine_answer():
    assert machine.physics(probe(machine.PYBULLET)).status == "ok"
    found = machine.torch_build(probe(machine.TORCH))
    assert found.status == "ok" and "build" in found.found


def test_what_the_paper_profile_would_need(works, monkeypatch, capsys):
    """The estimate stands beside the GPU that is there, with what it assumes."""
    code, page = doctor(works, capsys, "--profile", "paper")
    said = " ".join(page.split())
    assert code == 0 and "GPU memory no GPU (profile paper: " in said
    assert "hours of paper about " in said and "assumed: a quarter of 26.7 TFLOP/s" in said
    for gib, status in ((80.0, "ok"), (1.0, "limited")):
        monkeypatch.setattr(machine, "probe", lambda code, gib=gib: TORCH | {"api": 1, "pixels": "", "gpu_gib": [gib]})
        findings = json.loads(doctor(works, capsys, "--profile", "paper", "--json")[1])["findings"]
        (memory,) = [f for f in findings if f["name"] == "GPU memory"]
        assert (memory["status"], memory["found"]) == (status, f"{gib} GiB")
