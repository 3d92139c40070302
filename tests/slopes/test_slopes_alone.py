"""The slopes stand alone: they load little, need little, and the rest says which extra it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dgrasp import lazy

REFUSED = ("pybullet", "pandas", "optuna", "scipy", "matplotlib", "safetensors", "joblib")  # not there, so not loaded
SLOW = ("torch._dynamo", "sympy")  # there, and not loaded

# Finds no module but those that the light dependencies bring, as if the others were not installed.
LIGHT_ONLY = """
import importlib.machinery, json, sys
refused = set(json.loads(sys.argv[1]))
class OnlyLight(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in refused else super().find_spec(name, path, target)
sys.meta_path = [OnlyLight if f is importlib.machinery.PathFinder else f for f in sys.meta_path]
"""

USE = """
from dgrasp import optimize_poses, slope_loss
print([name for name in json.loads(sys.argv[2]) if name in sys.modules])
import torch
import dgrasp
from dgrasp import OptimizerConfig, Views, exact_slope_loss, grasp_ranking_loss
from dgrasp import representation, value_gradient
import dgrasp.cameras, dgrasp.streams
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4), torch.nn.Softplus(), torch.nn.Linear(4, 1))
value = lambda T: net(T).squeeze(-1)
T = torch.eye(4).repeat(5, 1, 1)
T[:, 0, 3] = torch.arange(5.0) / 10
slope_loss(value, T, T.flip(0), "quat").backward()
grasp_ranking_loss(value(T)).backward()
found = optimize_poses(value, T, OptimizerConfig(steps=2, clip_to_workspace=False), representation="6d")
print(tuple(found.T_world_tcp.shape))
"""


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(lazy.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True)


def not_brought(dependencies: list[str]) -> list[str]:
    """Top-level modules of the installed packages that the dependencies do not lead to."""
    brought, stack = set(), [Requirement(text).name for text in dependencies]
    while stack:
        name = canonicalize_name(stack.pop())
        if name in brought:
            continue
        brought.add(name)
        below = [Requirement(text) for text in metadata.requires(name) or []]
        stack += [r.name for r in below if (r.marker is None or r.marker.evaluate({"extra": ""})) and _installed(r)]
    providers = metadata.packages_distributions().items()
    return [module for module, names in providers if not {canonicalize_name(n) for n in names} & brought]


def _installed(requirement: Requirement) -> bool:
    try:
        return bool(metadata.distribution(requirement.name))
    except metadata.PackageNotFoundError:
        return False


def test_slopes_need_the_light_dependencies_alone_and_load_nothing_heavy(project):
    refused = sorted(set(not_brought(project["dependencies"])) - {"dgrasp"})
    assert set(REFUSED) <= set(refused)
    result = run(LIGHT_ONLY + USE, json.dumps(refused), json.dumps(SLOW))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["[]", "(5, 4, 4)"]


@pytest.mark.parametrize("package", ["sim", "data", "nerf", "value", "policy", "evaluation", "robot", "report"])
def test_the_rest_names_the_extra_that_it_needs(package):
    hide = "import sys\nsys.modules['optuna'] = None\nsys.modules['pandas'] = None\n"
    result = run(hide + f"import dgrasp.{package}")
    assert result.stderr.splitlines()[-1].endswith(
        f"MissingExtraError: dgrasp.{package} needs packages that are not installed (optuna, pandas): "
        "pip install 'dgrasp[companion]'"
    )


@pytest.mark.parametrize(("command", "module"), [("reproduce", "yaml"), ("reproduce", "pandas")])
def test_a_command_names_the_extra_that_it_needs(command, module):
    code = (
        f"import sys\nsys.modules['{module}'] = None\nfrom dgrasp.cli.main import main\nsys.exit(main(['{command}']))"
    )
    result = run(code)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(f"dgrasp {command}: ") and line.endswith(": pip install 'dgrasp[companion]'"), line


def test_the_list_of_the_extra_is_pyprojects(project):
    names = {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"]["companion"]}
    data_only = {"example-robot-data"}  # installs through cmeel, beside the modules of the environment
    modules = metadata.packages_distributions()
    brought = {canonicalize_name(name) for module in lazy.COMPANION for name in modules[module]}
    either = {"pybullet", "pybullet-arm64"}  # one module
    assert names - data_only - either == brought - either
    assert brought & either
