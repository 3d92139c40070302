"""The tasks of Sec. 4: simple, clutter, novel objects. A task is a recipe for scenes; subclass `Task` for your own."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from dgrasp import streams
from dgrasp.sim.rigid import transform, yaw
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.shapes import Prism
from dgrasp.sim.workspace import BOARD_TOP, BOUNDS_HIGH, BOUNDS_LOW

SPLITS = ("train", "validation", "test")
DENSITY = 500.0  # kg/m^3; not in the paper: soft wood, or printed plastic with sparse infill
FRICTION = 0.5  # not in the paper: wood or plastic; with the board's 1.0 the product is 0.5
GAP = 0.040  # m between encompassing circles; not in the paper ("at a distance"): room for an open finger
BEAM = 0.072  # widest prism across the fingers, m


class Task(ABC):
    """A named recipe for scenes.

    Subclass it, set `name` and `attempts`, and write `arrange(rng)`: return objects that lie at rest (use
    `dgrasp.sim.physics_rest` if they have to fall first). Splits are separate random streams, so that no
    validation or test scene can be a training scene.
    """

    name: str
    scenes: int  # of the test split in the paper
    objects: int  # per scene
    attempts: int  # per scene
    description: str

    @abstractmethod
    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        """This many objects at rest on the board."""

    def scene(self, split: str = "train", index: int = 0, seed: int = 0, objects: int | None = None) -> Scene:
        """Scene `index` of a split, by default with the task's own number of objects: the same for everybody who asks."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; splits: {', '.join(SPLITS)}")
        if index < 0:
            raise ValueError(f"scene index must be 0 or more, got {index}")
        rng = streams.rng(seed, "scenes", self.name, split, index)
        return Scene(tuple(self.arrange(rng, objects or self.objects)), self.name, split, index, seed)


class SimpleTask(Task):
    """Up to five upright monochrome prisms at a distance from each other (Sec. 4)."""

    name = "simple"
    scenes = 10
    objects = 5
    attempts = 5
    description = "up to five upright monochrome prisms at a distance"

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        while True:
            prisms = [random_prism(rng) for _ in range(objects)]
            positions = separate_positions(rng, [p.radius for p in prisms])
            if positions is not None:
                break
        return [
            coloured_prism(
                rng, i, prism, transform(yaw(rng.uniform(-np.pi, np.pi)), (x, y, BOARD_TOP + prism.height / 2))
            )
            for i, (prism, (x, y)) in enumerate(zip(prisms, positions, strict=True))
        ]


def random_prism(rng: np.random.Generator) -> Prism:
    """A box, cylinder, hexagonal or octagonal prism that the gripper can span. Sizes: not in the paper."""
    sides = int(rng.choice([4, 4, 0, 6, 8]))  # two boxes for one of each other kind
    height = float(rng.uniform(0.045, 0.095))
    width = float(rng.uniform(0.032, BEAM))
    if sides == 0:
        return Prism(0, width, width, height)
    length = float(rng.uniform(1.0, 1.7 if sides == 4 else 1.3) * width)
    return Prism(sides, width, length, height)


def coloured_prism(rng: np.random.Generator, i: int, prism: Prism, T_world_object: np.ndarray) -> SceneObject:
    """A prism of one random, saturated colour."""
    hue, saturation, value = rng.uniform(0, 1), rng.uniform(0.55, 1.0), rng.uniform(0.45, 1.0)
    name = f"{prism.kind} {i + 1}"
    mass = DENSITY * prism.volume
    return SceneObject(name, prism, _rgb(hue, saturation, value), mass, FRICTION, T_world_object)


def separate_positions(
    rng: np.random.Generator, radii: list[float], tries: int = 200
) -> list[tuple[float, float]] | None:
    """Positions whose circles keep `GAP` from each other and lie inside the workspace (predecessor's rejection)."""
    placed: list[tuple[float, float]] = []
    for i, r in enumerate(radii):
        for _ in range(tries):
            x, y = rng.uniform(BOUNDS_LOW[:2] + r, BOUNDS_HIGH[:2] - r)
            if all(np.hypot(x - u, y - v) >= r + radii[j] + GAP for j, (u, v) in enumerate(placed)):
                placed.append((float(x), float(y)))
                break
        else:
            return None
    return placed


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    import colorsys

    return colorsys.hsv_to_rgb(hue, saturation, value)


TASKS: dict[str, Task] = {t.name: t for t in (SimpleTask(),)}


def task(name: str) -> Task:
    """Look up a task; raises ValueError naming what exists."""
    try:
        return TASKS[name]
    except KeyError:
        raise ValueError(f"unknown task {name!r}; tasks: {', '.join(TASKS)}") from None
