"""Digests of what PyBullet computes in this environment: pixels, labels and depths of scenes, and trials in them.

    python tools/bullet_digest.py [SCENES] [--against FILE]

Prints JSON: which build of PyBullet it is, and one SHA-256 each of models, pictures and trials. Two builds of PyBullet
are interchangeable on a kind of machine if their digests are equal; with --against, the output of another run is
compared, and the exit code is 1 where it differs. Processors and systems differ in the last bits, so that no digest is
on record.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pybullet
from scipy.spatial.transform import Rotation

from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects.models import decompose
from dgrasp.sim.objects.ycb import mesh_path
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task

COMPARED = ("models", "pictures", "trials")


def build() -> str:
    """Name and version of the package that `import pybullet` found."""
    names = metadata.packages_distributions()["pybullet"]
    origin = Path(pybullet.__file__).resolve().parent
    found = [d for d in map(metadata.distribution, names) if Path(str(d.locate_file(""))).resolve() == origin]
    kind = "arrays" if pybullet.isNumpyEnabled() else "tuples"
    return f"{found[0].metadata['Name']} {found[0].version}, pictures as {kind}"


def jobs(n: int) -> list[tuple[Scene, np.ndarray]]:
    """Scenes of the paper's tasks, each with a grasp from above near its first object's centre."""
    made = []
    for i in range(n):
        scene, rng = (
            task(("simple", "clutter", "novel")[i % 3]).scene("validation", i, seed=7),
            np.random.default_rng(i),
        )
        T = np.eye(4)
        T[:3, :3] = Rotation.from_euler("zx", [rng.uniform(0, np.pi), np.pi]).as_matrix()
        T[:3, 3] = scene.objects[0].T_world_object[:3, 3] + rng.uniform(-0.01, 0.01, 3)
        made.append((scene, T))
    return made


def digests(n: int) -> dict[str, str]:
    """Of n scenes."""
    import trimesh

    parts = {name: hashlib.sha256() for name in COMPARED}
    with tempfile.TemporaryDirectory() as folder:  # V-HACD is Bullet's, too
        for hull in decompose(trimesh.load_mesh(mesh_path("banana")), Path(folder)):
            parts["models"].update(hull.tobytes())
    with Cell() as cell:
        for scene, T in jobs(n):
            cell.reset(scene)
            views = cell.observe(evaluation_viewpoints(2))
            geometry = cell.observe_geometry(evaluation_viewpoints(2))
            for array in (views.images, geometry.labels, geometry.depth):
                parts["pictures"].update(np.ascontiguousarray(array).tobytes())
            trial = cell.execute(T)
            parts["trials"].update(repr((trial.outcome, trial.reason, trial.simulated_seconds)).encode())
            for obj in trial.scene_after.objects:
                parts["trials"].update(obj.T_world_object.tobytes())
    return {name: digest.hexdigest() for name, digest in parts.items()}


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools/bullet_digest.py", description="Digests of what PyBullet computes.")
    parser.add_argument("scenes", nargs="?", type=int, default=6)
    parser.add_argument("--against", type=Path, help="output of another run")
    options = parser.parse_args(arguments)
    result = {"build": build(), "scenes": options.scenes, **digests(options.scenes)}
    print(json.dumps(result, indent=2))
    if options.against is None:
        return 0
    other = json.loads(options.against.read_text(encoding="utf-8"))
    differing = [name for name in ("scenes", *COMPARED) if other[name] != result[name]]
    for name in differing:
        print(f"error: {name} of {result['build']} differ from those of {other['build']}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
