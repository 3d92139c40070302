"""An editable install of this repository: the package is found, whatever folder the user's script lies in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77", reason="pip builds with it")
FILES = ("pyproject.toml", "README.md", "LICENSE", "dgrasp/__init__.py", "dgrasp/version.py")
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_editable(sys.argv[1]))"


def test_a_script_beside_a_clone_that_is_called_dgrasp_finds_the_package(root: Path, tmp_path: Path) -> None:
    """The folder `dgrasp` beside it is a package without a name to import to Python, and must not win."""
    clone, packages = tmp_path / "dgrasp", tmp_path / "site-packages"
    for name in FILES:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, clone / name)
    done = subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    zipfile.ZipFile(tmp_path / done.stdout.split()[-1]).extractall(packages)

    (tmp_path / "script.py").write_text("from importlib.util import find_spec\nprint(find_spec('dgrasp').origin)\n")
    start = f"import site, sys, runpy; site.addsitedir({str(packages)!r}); sys.path.insert(0, {str(tmp_path)!r}); "
    # -S: the environment's own editable install of this repository, where there is one, stays out.
    run = [sys.executable, "-I", "-S", "-c", start + f"runpy.run_path({str(tmp_path / 'script.py')!r})"]
    ran = subprocess.run(run, capture_output=True, text=True)
    assert ran.stdout.strip() == str(clone / "dgrasp" / "__init__.py"), ran.stderr
