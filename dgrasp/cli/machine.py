"""What `dgrasp doctor` looks at: this machine's parts, each with what it is for and what to do where it is missing."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from dgrasp.cache import cache_folder
from dgrasp.cli.finding import GIB, Finding

SUPPORTED = ((3, 11), (3, 14))  # requires-python in pyproject.toml
SMOKE_DISK, LAPTOP_DISK = 0.1, 1.0  # GiB below build/<profile>: 17 MB measured; 55 MB of scenes, checkpoints, studies
CACHE_DISK = 0.2  # GiB of derived simulator models
SMOKE_MEMORY, LAPTOP_MEMORY = 4, 9  # GiB, as in the README
PROBE_SECONDS = 120  # torch takes a minute to load from a cold, slow disk
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
NOTEBOOK_PACKAGES = ("jupyterlab", "jupytext", "papermill", "ipykernel", "nbclient")
ROBOT_MODULES = {"rtde_control": "UR controller", "pyrealsense2": "D415 camera", "cv2": "calibration"}

# What torch and PyBullet say of themselves, each in a process of its own: a library that crashes ends the process.
TORCH = """
import json, torch
cuda = torch.cuda.is_available()
mps = getattr(torch.backends, "mps", None)
torch.ones(8, 8) @ torch.ones(8, 8)
print(json.dumps({
    "version": torch.__version__, "threads": torch.get_num_threads(),
    "build": f"CUDA {torch.version.cuda}" if torch.version.cuda
        else f"ROCm {torch.version.hip}" if getattr(torch.version, "hip", None) else "CPU",
    "bf16": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.is_available() else False,
    "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
    "gpu_gib": [torch.cuda.get_device_properties(i).total_memory / 2**30 for i in range(torch.cuda.device_count())]
        if cuda else [],
    "gpu_bf16": bool(cuda and torch.cuda.is_bf16_supported()),
    "mps": bool(mps and mps.is_available()),
}))
"""
PYBULLET = """
import json, pybullet
world = pybullet.connect(pybullet.DIRECT)
pybullet.stepSimulation(physicsClientId=world)
image = pybullet.getCameraImage(8, 8, renderer=pybullet.ER_TINY_RENDERER, physicsClientId=world)
print(json.dumps({"api": pybullet.getAPIVersion(), "pixels": type(image[2]).__name__}))
"""


def examine(build: Path, profile: str | None = None) -> list[Finding]:
    """Look at everything; `build` is where the user would build. profile "paper": and at what that would need."""
    torch, bullet = probe(TORCH), probe(PYBULLET)
    checks: Sequence[Callable[[], Finding]] = (
        python,
        lambda: torch_build(torch),
        lambda: precision(torch),
        lambda: accelerator(torch),
        lambda: physics(bullet),
        notebooks,
        memory,
        lambda: disk("build folder", build, "runs, figures, notebooks", SMOKE_DISK, LAPTOP_DISK),
        cache,
        ycb_textures,
        lambda: program("git", "which commit made a result", "install git; without it results name no commit"),
        lambda: program("make", "shorter commands", "not needed: `dgrasp` does the same"),
        browser,
        usb,
        robot,
    )
    found = [check() for check in checks]
    if profile == "paper":
        from dgrasp.cli.paper import paper_findings

        found += paper_findings(torch)
    return found


def probe(code: str) -> dict[str, Any]:
    """What a small program prints as JSON; {"error": why} if it fails or crashes."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer
    lines = done.stderr.strip().splitlines()
    return {"error": lines[-1] if done.returncode > 0 and lines else f"it crashed with signal {-done.returncode}"}


def python() -> Finding:
    """The interpreter."""
    low, high = SUPPORTED
    fits = low <= sys.version_info[:2] < high and sys.maxsize > 2**32
    found = f"{platform.python_version()}, {'64' if sys.maxsize > 2**32 else '32'} bit, {sys.executable}"
    advice = "" if fits else f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}, 64 bit"
    return Finding("Python", "ok" if fits else "missing", found, "everything", advice, core=True)


def torch_build(torch: dict[str, Any]) -> Finding:
    """The build of torch and how many threads it takes."""
    purpose = "networks, losses, plans"
    if "error" in torch:
        advice = "`make env`, or pip install torch (without a GPU: the CPU build, see CONTRIBUTING.md)"
        return Finding("torch", "missing", torch["error"], purpose, advice, core=True)
    found = f"{torch['version']}, {torch['build']} build, {torch['threads']} of {_processors()} processors as threads"
    return Finding("torch", "ok", found, purpose, core=True)


def precision(torch: dict[str, Any]) -> Finding:
    """Whether bfloat16 has instructions of its own here."""
    purpose = "nerf.precision: bf16 or auto; float32 is the default"
    if "error" in torch:
        return Finding("bfloat16", "limited", "not known without torch", purpose)
    where = [n for n, has in (("processor", torch.get("bf16")), ("GPU", torch.get("gpu_bf16"))) if has]
    if where:
        return Finding("bfloat16", "ok", f"native on the {' and the '.join(where)}", purpose)
    return Finding("bfloat16", "limited", "not native here", purpose, "nothing to do: `auto` measures, float32 works")


def accelerator(torch: dict[str, Any]) -> Finding:
    """A GPU that torch can use."""
    purpose = "profile paper; smoke and laptop run without"
    if torch.get("gpus"):
        return Finding("GPU", "ok", ", ".join(torch["gpus"]), purpose)
    if torch.get("mps"):
        return Finding("GPU", "ok", "Apple's, by MPS (runtime.device: mps)", purpose)
    if shutil.which("nvidia-smi"):
        found = f"an NVIDIA driver, which this torch ({torch.get('build', 'none')} build) does not use"
        return Finding("GPU", "limited", found, purpose, "install the CUDA build of torch that fits the driver")
    return Finding("GPU", "missing", "none", purpose)


def physics(bullet: dict[str, Any]) -> Finding:
    """PyBullet, and from which distribution it comes."""
    purpose = "the simulated cell"
    versions = {name: v for name in ("pybullet", "pybullet-arm64") if (v := _version(name))}
    if "error" in bullet or not versions:
        advice = "`make env`, or pip install -e '.[companion]', which takes the one that has a wheel here"
        return Finding("PyBullet", "missing", bullet.get("error", "not installed"), purpose, advice, core=True)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    status: Literal["ok", "limited"] = "ok" if len(versions) == 1 else "limited"
    advice = "" if status == "ok" else "both write the same module: pip uninstall both, then install one"
    return Finding("PyBullet", status, found, purpose, advice, core=True)


def notebooks() -> Finding:
    """What runs and shows notebooks."""
    missing = [name for name in NOTEBOOK_PACKAGES if _version(name) is None]
    purpose = "reproduce, figures, notebook; JupyterLab"
    if missing:
        advice = "`make env`, or pip install -e '.[companion,notebooks]'"
        return Finding("Jupyter", "missing", f"no {', '.join(missing)}", purpose, advice, core=True)
    return Finding("Jupyter", "ok", f"JupyterLab {_version('jupyterlab')}", purpose, core=True)


def memory() -> Finding:
    """Physical memory, or what this container may use of it."""
    purpose = f"smoke {SMOKE_MEMORY} GiB, laptop {LAPTOP_MEMORY} GiB"
    size = _memory_bytes()
    if size is None:
        return Finding("memory", "limited", "this system does not say", purpose)
    found, gib = f"{size / GIB:.1f} GiB", size / GIB
    if gib < 0.9 * SMOKE_MEMORY:  # systems keep some of what is built in
        return Finding("memory", "missing", found, purpose, "close other programs, or use a larger machine", core=True)
    if gib < 0.9 * LAPTOP_MEMORY:
        return Finding("memory", "limited", found, purpose, "laptop: fewer runtime.workers", core=True)
    return Finding("memory", "ok", found, purpose, core=True)


def disk(name: str, folder: Path, purpose: str, least: float, more: float) -> Finding:
    """Free GiB where `folder` is or would be, and whether it may be written."""
    purpose += f"; {least:g} GiB" + (f" (smoke) to {more:g} GiB (laptop)" if more > least else "")
    above, problem = _nearest(folder)
    if problem:
        advice = "set DGRASP_CACHE to a folder of yours" if name == "cache" else "choose another with --build"
        return Finding(name, "missing", f"{above} {problem}", purpose, advice, core=True)
    free = shutil.disk_usage(above).free / GIB
    found = f"{free:.1f} GiB free in {above}"
    if free < least:
        return Finding(name, "missing", found, purpose, "free some space", core=True)
    advice = "" if free >= more else "enough for smoke; free some space for laptop"
    return Finding(name, "limited" if advice else "ok", found, purpose, advice, core=True)


def cache() -> Finding:
    """Where derived models are kept."""
    purpose = "models of the simulator"
    try:
        return disk("cache", cache_folder(), purpose, CACHE_DISK, CACHE_DISK)
    except OSError as error:  # there is no home folder
        return Finding("cache", "missing", str(error), purpose, "set DGRASP_CACHE to a folder of yours", core=True)


def _nearest(folder: Path) -> tuple[Path, str]:
    """The folder, or what there is above it, and what keeps it from being written; empty if nothing."""
    above = folder.resolve()
    try:
        above = next(path for path in (above, *above.parents) if path.exists())
    except PermissionError:  # a folder above it cannot even be looked into
        return above, "may not be written"
    if not above.is_dir():
        return above, "is no folder"
    writable = os.access(above, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return above, "" if writable else "may not be written"


def ycb_textures() -> Finding:
    """Textured models of the novel task's objects."""
    purpose = "novel objects as published; in flat colours they are another task"
    try:
        from dgrasp.sim.objects.ycb import ENVIRONMENT, NOVEL, textured_obj
    except ImportError:
        return Finding("YCB textures", "limited", "not known before the environment is made", purpose)
    folder, advice = os.environ.get(ENVIRONMENT), f"dgrasp ycb FOLDER, then set {ENVIRONMENT}"
    if not folder:
        return Finding("YCB textures", "limited", f"{ENVIRONMENT} is not set: flat colours", purpose, advice)
    missing = []
    for facts in NOVEL:
        try:
            textured_obj(facts.name)
        except FileNotFoundError:
            missing.append(facts.name)
    if missing:
        found = f"{folder} lacks {', '.join(missing)}"
        return Finding("YCB textures", "missing", found, purpose, f"dgrasp ycb {folder}, or unset {ENVIRONMENT}")
    return Finding("YCB textures", "ok", f"all {len(NOVEL)} in {folder}", purpose)


def program(name: str, purpose: str, advice: str) -> Finding:
    """A program on the PATH."""
    path = shutil.which(name)
    return Finding(name, "ok" if path else "missing", path or "not on the PATH", purpose, "" if path else advice)


def browser() -> Finding:
    """Chromium with its driver and selenium."""
    purpose = "tests of the explorer in JupyterLab, of the site and of its pages"
    parts = {
        "Chromium": next(filter(None, map(shutil.which, CHROMIUM)), None),
        "chromedriver": shutil.which("chromedriver"),
        "selenium": _version("selenium"),
    }
    missing = [name for name, found in parts.items() if not found]
    if missing:
        advice = "Debian: apt install chromium chromium-driver; selenium: `make env`; without, they are skipped"
        return Finding("browser", "missing", f"no {', '.join(missing)}", purpose, advice)
    return Finding("browser", "ok", f"{parts['Chromium']}, selenium {parts['selenium']}", purpose)


def usb() -> Finding:
    """The system library that the camera's driver loads."""
    found = ctypes.util.find_library("usb-1.0")
    purpose = "the D415 camera, and tests of its driver"
    if found is None:
        return Finding("libusb", "missing", "not found", purpose, "Debian: apt install libusb-1.0-0")
    return Finding("libusb", "ok", found, purpose)


def robot() -> Finding:
    """The vendors' packages."""
    found = [what for module, what in ROBOT_MODULES.items() if importlib.util.find_spec(module)]
    missing = [f"{what} ({module})" for module, what in ROBOT_MODULES.items() if what not in found]
    purpose = "a real cell, and tests of its drivers"
    if missing:
        advice = "pip install -e '.[robot]', where the vendors have wheels"
        return Finding("robot's drivers", "missing", f"no {', '.join(missing)}", purpose, advice)
    return Finding("robot's drivers", "ok", ", ".join(found), purpose)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int | None:
    """Of the machine, or of the container if that is less."""
    if importlib.util.find_spec("psutil"):  # comes with the notebooks
        import psutil

        total: int | None = psutil.virtual_memory().total
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if total and text.isdecimal() else total
