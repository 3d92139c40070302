"""What a folder of demonstrations contains, as tables: plot-ready, one row per attempt, object or pose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.data import layout
from dgrasp.runs import Run
from dgrasp.sim.tasks.paper import GAP, NUDGED, UPRIGHT_WITHIN


def attempts_table(source: Run | Path) -> pd.DataFrame:
    """One row per attempt of the oracle: split, scene, stage, attempt, object, outcome, reason, simulated seconds."""
    rows = [{"split": r["split"], "scene": r["index"], **a} for r in _records(source) for a in r["attempts"]]
    return pd.DataFrame(rows)


def objects_table(source: Run | Path) -> pd.DataFrame:
    """One row per object of the initial scenes: kind, width, length, height (m), x, y (m), yaw (rad), mass (kg)."""
    rows = []
    for r in _records(source):
        for o in r["stages"][0]["scene"]["objects"] if r["stages"] else []:
            T, shape = np.array(o["T_world_object"]), o["shape"]
            sizes = shape.get("extents") or [shape["width"], shape["length"], shape["height"]]
            row = {
                "split": r["split"],
                "scene": r["index"],
                "object": o["name"],
                "kind": o["name"].rstrip(" 0123456789"),
            }
            row |= dict(zip(("width", "length", "height"), sizes, strict=True))
            row |= {"x": T[0, 3], "y": T[1, 3], "yaw": np.arctan2(T[1, 0], T[0, 0]), "mass": o["mass"]}
            rows.append(row)
    return pd.DataFrame(rows)


def poses_table(source: Run | Path) -> pd.DataFrame:
    """One row per recorded TCP pose: step, steps left, x, y, height above the board (m), tilt from down (rad)."""
    rows = []
    for path, entry in _files(source):
        scene = layout.load_scene(path, entry["sha256"])
        for stage, Ts in enumerate(scene.trajectories):
            cell = scene.record["stages"][stage]["scene"].get("cell")
            top = BOARD_TOP if cell is None else cell["bench"]["board_top"]
            grasp = Rotation.from_matrix(Ts[-1, :3, :3])
            turn = (grasp.inv() * Rotation.from_matrix(Ts[:, :3, :3])).magnitude()
            for step, T in enumerate(Ts):
                row = {"split": scene.record["split"], "scene": scene.record["index"], "stage": stage, "step": step}
                row |= {"left": len(Ts) - 1 - step, "x": T[0, 3], "y": T[1, 3], "height": T[2, 3] - top}
                row |= {"tilt": np.arccos(np.clip(-T[2, 2], -1, 1)), "turn_to_grasp": turn[step]}
                rows.append(row)
    return pd.DataFrame(rows)


def sec_4_1_departures(manifest: Mapping[str, Any], objects: int) -> list[str]:
    """Scene files whose manifest entry does not prove what Sec. 4.1 says of the training set; empty if all do.

    In each, every one of the `objects` was lifted, and in no stage did the networks see objects close to each other,
    textures, or poses other than upright. What an entry does not say (null) is not proved; of a single object there is
    no least distance.
    """

    def proves(entry: Mapping[str, Any]) -> bool:
        closest, tilt = entry["closest"], entry["tilt"]
        apart = objects < 2 if closest is None else closest >= GAP - NUDGED
        upright = tilt is not None and tilt <= UPRIGHT_WITHIN
        return bool(apart and upright and entry["textured"] == 0 and entry["demonstrations"] == objects)

    return [name for name, entry in manifest["files"].items() if not proves(entry)]


def _files(source: Run | Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = source.path if isinstance(source, Run) else Path(source)
    for name, entry in sorted(layout.read_manifest(folder)["files"].items()):
        yield folder / "scenes" / name, entry


def _records(source: Run | Path) -> Iterator[dict[str, Any]]:
    for path, entry in _files(source):
        yield layout.load_record(path, entry["sha256"])
