"""The pictures of one scene's attempts as one file for the page."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dgrasp.files import atomic_path
from dgrasp.fingerprints import code_of
from dgrasp.report.failures.replay import Job, Shown, repeated
from dgrasp.report.play.container import facts_of, packed
from dgrasp.sim.objects.ycb import ycb_models

WIDEST = 256  # pixels of a view on the page: the laptop profile's size; larger views are made smaller
COLUMNS = 5  # pictures in a row of the sheet
QUALITY = 35  # of WebP; by eye: edges of objects and gripper stay sharp, and a picture takes 1 or 2 kB


def kept_sheet(job: Job, workspace: Path) -> bytes:
    """The file of a job's pictures: the one kept in the workspace if rows, settings, looks and code are the same."""
    path = sheet_path(job, workspace)
    try:
        data = path.read_bytes()
        facts_of(data)
    except (FileNotFoundError, ValueError):  # none, or a damaged one: it is made again
        data = sheet_file(repeated(job))
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return data


def sheet_path(job: Job, workspace: Path) -> Path:
    """Where a job's pictures are kept, once they are made."""
    made_from: dict[str, Any] = {"rows": job.rows, "looks": ycb_models(), "cell": job.cell.digest()}
    made_from |= {"observer": job.observer.digest(), "twin": job.twin.digest() if job.twin else ""}
    made_from["code"] = code_of([__name__])
    name = hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()[:24]
    return workspace / "failures" / f"{name}.sheet"


def sheet_file(shown: Iterable[Shown]) -> bytes:
    """The file `source/failures.js` reads: a WebP picture `sheet`, and where in it which picture of an attempt lies.

    Facts: `attempts`, by number: {views: [place], frames: [[phase, place]], same, seen, exact}, where a place is
    [x, y, width, height]. Pictures that are the same are there once.
    """
    tiles: dict[bytes, np.ndarray] = {}
    attempts: dict[str, dict[str, Any]] = {}
    for one in shown:
        views = [_kept(tiles, _smaller(view)) for view in one.views]
        frames = [[phase, _kept(tiles, picture)] for phase, picture in one.frames]
        attempts[str(one.number)] = {"views": views, "frames": frames, "same": one.same, "seen": one.seen}
        attempts[str(one.number)]["exact"] = one.exact
    sheet, places = _laid_out(list(tiles.values()))
    for entry in attempts.values():
        entry["views"] = [places[i] for i in entry["views"]]
        entry["frames"] = [[phase, places[i]] for phase, i in entry["frames"]]
    arrays = {} if sheet is None else {"sheet": np.frombuffer(_webp(sheet), np.uint8)}
    return packed({"kind": "sheet", "attempts": attempts}, arrays, {}, 8)


def _kept(tiles: dict[bytes, np.ndarray], picture: np.ndarray) -> int:
    """The picture's number among those kept."""
    key = picture.tobytes()
    tiles.setdefault(key, picture)
    return list(tiles).index(key)


def _smaller(view: np.ndarray) -> np.ndarray:
    height, width = view.shape[:2]
    if width <= WIDEST:
        return view
    return np.asarray(Image.fromarray(view).resize((WIDEST, round(height * WIDEST / width)), Image.Resampling.BOX))


def _laid_out(tiles: list[np.ndarray]) -> tuple[np.ndarray | None, list[list[int]]]:
    """Pictures in rows, those of a size together; (None, []) without any."""
    order = sorted(range(len(tiles)), key=lambda i: tiles[i].shape[:2])
    rows: list[list[int]] = []
    for i in order:
        if rows and len(rows[-1]) < COLUMNS and tiles[rows[-1][0]].shape == tiles[i].shape:
            rows[-1].append(i)
        else:
            rows.append([i])
    places, y = [[0, 0, 0, 0] for _ in tiles], 0
    for row in rows:
        height, width = tiles[row[0]].shape[:2]
        for k, i in enumerate(row):
            places[i] = [k * width, y, width, height]
        y += height
    if not tiles:
        return None, places
    sheet = np.zeros((y, max(x + width for x, _, width, _ in places), 3), np.uint8)
    for (x, top, width, height), tile in zip(places, tiles, strict=True):
        sheet[top : top + height, x : x + width] = tile
    return sheet, places


def _webp(sheet: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(sheet).save(target, format="webp", quality=QUALITY, method=4)
    return target.getvalue()
