"""Whatever stands in the files of an import, a model or a sheet, it is read or refused in one line with its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photographed import camera, write_colmap
from PIL import Image

from dgrasp.cameras import Intrinsics, Views
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.demonstrations import Demonstration
from dgrasp.data.export import write_robomimic
from dgrasp.data.imports.check import read_import
from dgrasp.data.imports.lerobot import write_lerobot
from dgrasp.data.imports.plain import write_plain
from dgrasp.files import UserFileError
from dgrasp.sim.scene import Scene

for package in ("h5py", "pyarrow", "cv2"):
    pytest.importorskip(package)
DAMAGES = 15  # of each file


def demonstration() -> Demonstration:
    Ts = np.tile(np.eye(4), (4, 1, 1))
    Ts[:, :3, 3] = np.linspace((0.1, 0.1, 1.2), (0.2, 0.0, 1.0), 4)
    Ts[:, :3, :3] = np.diag([1.0, -1.0, -1.0])
    views = Views(
        np.full((2, 24, 32, 3), 90, np.uint8),
        np.stack([Intrinsics.d415(32, 24).matrix] * 2),
        np.stack([camera(-80), camera(80)]),
    )
    return Demonstration(0, 0, views, Ts[-1], Ts, "box", "success", Scene(()))


def colmap(folder: Path, binary: bool) -> Path:
    folder.mkdir()
    Image.new("RGB", (32, 24)).save(folder / "a.png")
    write_colmap(
        folder, ["a.png"], [(4, "OPENCV", [30.0, 30, 16, 12, 0.01, 0, 0, 0])], camera(10)[None], (32, 24), binary
    )
    return folder


def robomimic(folder: Path) -> Path:
    write_robomimic({"train": [demonstration()]}, folder / "demo.hdf5")
    return folder


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes overwritten, cut out or doubled, or the rest cut off."""
    changed = bytearray(data)
    start = int(rng.integers(len(changed)))
    end = min(len(changed), start + int(rng.integers(1, 12)))
    kind = int(rng.integers(4))
    if kind == 0:
        changed[start:end] = rng.integers(0, 256, end - start, dtype=np.uint8).tobytes()
    elif kind == 1:
        changed[start:end] = b"-9e9 null"[: end - start]
    elif kind == 2:
        del changed[start : end if rng.integers(2) else len(changed)]
    else:
        changed[start:start] = changed[start:end]
    return bytes(changed)


MAKES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "lerobot": (lambda f: write_lerobot({"train": [demonstration()] * 2}, f), lambda f: read_import(f, "lerobot")),
    "robomimic": (robomimic, lambda f: read_import(f / "demo.hdf5", "robomimic")),
    "folder": (lambda f: write_plain({"train": [demonstration()]}, f), lambda f: read_import(f, "folder")),
    "COLMAP, binary": (lambda f: colmap(f, True), read_capture),
    "COLMAP, text": (lambda f: colmap(f, False), read_capture),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", MAKES)
def test_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    make, read = MAKES[kind]
    good = make(tmp_path / "good")
    read(good)
    files = sorted(f.relative_to(good) for f in good.rglob("*") if f.is_file() and f.suffix not in (".png", ".jpg"))
    rng, refused = np.random.default_rng(0), 0
    for file in files:
        whole = (good / file).read_bytes()
        for _ in range(DAMAGES):
            (good / file).write_bytes(damaged(whole, rng))
            try:
                read(good)
            except (UserFileError, CaptureError) as error:
                refused += 1
                assert str(good) in str(error) and "\n" not in str(error), error
        (good / file).write_bytes(whole)
    assert refused > len(files) * DAMAGES / 10
    shutil.rmtree(good)
