"""The tasks of Sec. 4 (simple, clutter, novel objects), and one of unseen objects, which is ours.

A task is a recipe for scenes; subclass `Task` for your own.
"""

from __future__ import annotations

import colorsys
import copy
import importlib
import importlib.util
import sys
from abc import ABC, abstractmethod
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cell.description import CellDescription
from dgrasp.cell.model import PAPERS, CellModel, model_of
from dgrasp.cell.simulable import room_problem
from dgrasp.cell.transforms import direction, transform, yaw
from dgrasp.config import each
from dgrasp.sim import arrangement
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.settling import physics_rest, stays, touching
from dgrasp.sim.tasks.prisms import random_prism

SPLITS = ("train", "validation", "test", "ablation")  # the last: ours, of scenes on which nothing is chosen
DENSITY = 500.0  # kg/m^3; not in the paper: soft wood, or printed plastic with sparse infill
FRICTION = 0.5  # not in the paper: wood or plastic; with the board's 1.0 the product is 0.5
GAP = 0.040  # m between encompassing circles; not in the paper ("at a distance"): room for an open finger
NUDGED = 0.010  # m of `GAP` that a grasp of a neighbour may take; not in the paper: more brings two objects together
UPRIGHT_WITHIN = np.radians(2)  # rad, not in the paper: what leans more was knocked
REDRAWS = 200  # arrangements drawn before giving up
TRIES = 200  # places tried for a prism, before others are drawn


class Task(ABC):
    """A named recipe for scenes.

    Subclass it, set `name` and `attempts`, and write `arrange(rng)`: return objects that lie at rest (use
    `dgrasp.sim.settling.physics_rest` if they have to fall first). Splits are separate random streams, so that no
    validation or test scene can be a training scene.

    cell: the described one in which the scenes are, None for the paper's; `place` is its geometry (board, workspace,
    hand), by which sizes and places go.
    """

    name: str
    scenes: int  # of the test split in the paper
    objects: int  # per scene
    attempts: int  # per scene
    description: str
    cell: CellDescription | None = None

    @property
    def place(self) -> CellModel:
        """Where the scenes are."""
        return model_of(self.cell)

    @abstractmethod
    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        """This many objects at rest on the board."""

    def scene(
        self, split: str = "train", index: int = 0, seed: int = 0, objects: int | None = None, draw: int = 0
    ) -> Scene:
        """Scene `index` of a split (default: the task's own number of objects): the same for everybody who asks.

        draw: which of the scenes that may stand there; above 0 where an earlier one could not be demonstrated.
        """
        rng = self.stream(split, index, seed, draw)
        arranged = tuple(self.arrange(rng, objects or self.objects))
        return Scene(arranged, self.name, split, index, seed, self.cell)

    def stream(self, split: str, index: int, seed: int, draw: int = 0) -> np.random.Generator:
        """The random stream of one scene; raises ValueError for an unknown split or a negative index."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; splits: {', '.join(SPLITS)}")
        if index < 0:
            raise ValueError(f"scene index must be 0 or more, got {index}")
        return streams.rng(seed, "scenes", self.name, split, index, *([draw] if draw else []))

    def departure(self, scene: Scene) -> str:
        """What a scene has become that is not this task's, after objects were taken from it; empty: it still is."""
        return ""


class UprightPrisms(Task):
    """Prisms that stand upright, turned at random: what they are, and where, say `prism` and `positions`."""

    @abstractmethod
    def prism(self, rng: np.random.Generator) -> Prism:
        """One of the scene's prisms."""

    @abstractmethod
    def positions(self, rng: np.random.Generator, radii: list[float]) -> list[tuple[float, float]] | None:
        """Where they stand (x, y), metres, by the radii of their circles; None to begin again with other prisms."""

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        while True:
            prisms = [self.prism(rng) for _ in range(objects)]
            positions = self.positions(rng, [p.radius for p in prisms])
            if positions is not None:
                break
        return [
            coloured_prism(
                rng,
                i,
                prism,
                transform(yaw(rng.uniform(-np.pi, np.pi)), (x, y, self.place.board_top + prism.height / 2)),
            )
            for i, (prism, (x, y)) in enumerate(zip(prisms, positions, strict=True))
        ]


class SimpleTask(UprightPrisms):
    """Up to five upright monochrome prisms at a distance from each other (Sec. 4)."""

    name = "simple"
    scenes = 10
    objects = 5
    attempts = 5
    description = "up to five upright monochrome prisms at a distance"

    def prism(self, rng: np.random.Generator) -> Prism:
        return random_prism(rng, self.place.hand.scale)

    def positions(self, rng: np.random.Generator, radii: list[float]) -> list[tuple[float, float]] | None:
        return positions_in((self.place.low[:2], self.place.high[:2]), rng, radii, GAP)

    def departure(self, scene: Scene) -> str:
        """Objects that a grasp has tipped over, or pushed together."""
        if arrangement.tilt(scene) > UPRIGHT_WITHIN:
            return "an object does not stand upright any more"
        gap = arrangement.closest(scene)
        if gap is not None and gap < GAP - NUDGED:
            return f"two objects are {1000 * gap:.0f} mm from each other"
        return ""


class ClutterTask(Task):
    """Five monochrome prisms packed together, touching, in poses other than upright (Sec. 4).

    They fall in random orientations in a ring and a gentle pull to its middle packs them; then everything rests.
    """

    name = "clutter"
    scenes = 10
    objects = 5
    attempts = 5
    description = "five monochrome prisms packed together, fallen as they may"

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        place = self.place
        for _ in range(REDRAWS):
            middle = rng.uniform(place.low[:2] + 0.11, place.high[:2] - 0.11)
            turn = rng.uniform(-np.pi, np.pi)
            falling = []
            for i in range(objects):
                angle = turn + 2 * np.pi * i / objects + rng.uniform(-0.4, 0.4)
                x, y = middle + rng.uniform(0.08, 0.12) * np.array(direction(angle))
                pose = transform(Rotation.random(rng=rng), (x, y, place.board_top + rng.uniform(0.07, 0.12)))
                falling.append(coloured_prism(rng, i, random_prism(rng, place.hand.scale), pose))
            rested = physics_rest(falling, pull_to=middle, cell=self.cell)
            if rested and _in_bounds(rested, place) and _fallen(rested) and self._is_a_pile(rested):
                return rested
        raise RuntimeError(f"no acceptable pile in {REDRAWS} draws: the clutter task's limits are too tight")

    def _is_a_pile(self, rested: list[SceneObject]) -> bool:
        return touching(rested, self.cell) and stays(rested, cell=self.cell)


class NovelTask(Task):
    """A randomly chosen one of the paper's nine YCB objects, in a random stable pose (Sec. 4, Sec. 5.1)."""

    name = "novel"
    scenes = 50
    objects = 1
    attempts = 1
    description = "one YCB object in a random stable pose"
    shown: tuple[ycb.Facts, ...] = ycb.NOVEL

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        if objects != 1:
            raise ValueError(f"the {self.name} task shows one object at a time, got objects={objects}")
        shown = self.shown if self.cell is None else _held_by(self.place, self.shown)
        return [place_model(rng, shown[int(rng.integers(len(shown)))].name, self.cell)]


class UnseenTask(NovelTask):
    """The same with YCB objects that nobody looked at while anything was chosen; not in the paper.

    The paper's nine were there while this companion was made, so that its choices may suit them. No study, figure or
    comparison of settings may use these: they stand in tables of results alone (Table 1, and those beyond the paper).
    Which of them are hard is known since Table 1 was made, and nothing has been changed for them since.
    """

    name = "unseen"
    description = "one YCB object in a random stable pose, of those that no choice was made on"
    shown = ycb.UNSEEN


def _held_by(place: CellModel, shown: tuple[ycb.Facts, ...]) -> tuple[ycb.Facts, ...]:
    """Those of the objects whose thinnest side goes between the open fingers; raises ValueError where none does."""
    held = tuple(f for f in shown if min(load_model(f.name).shape.extents) < place.hand.opening)
    if not held:
        raise ValueError(f"{place.name}: none of the objects goes between its fingers")
    return held


def place_model(rng: np.random.Generator, name: str, cell: CellDescription | None = None) -> SceneObject:
    """A YCB object dropped from just above the board in a random orientation, at rest inside the workspace."""
    model = load_model(name)
    o = SceneObject(name, model.shape, ycb.facts(name).colour, model.mass, model.friction, np.eye(4))
    return drop(rng, o, model.corners, cell)


def drop(
    rng: np.random.Generator, o: SceneObject, corners: np.ndarray, cell: CellDescription | None = None
) -> SceneObject:
    """An object dropped from just above the board in a random orientation, at rest inside the workspace.

    corners: (n, 3) of its convex hull, object frame, metres. Raises RuntimeError if it never comes to rest there.
    """
    place = model_of(cell)
    for _ in range(REDRAWS):
        R = Rotation.random(rng=rng)
        position = np.append(rng.uniform(place.low[:2] + 0.05, place.high[:2] - 0.05), place.board_top)
        position[2] += 0.005 - float(R.apply(corners)[:, 2].min())
        rested = physics_rest([o.moved(transform(R, position))], cell=cell)
        if rested and _in_bounds(rested, place) and stays(rested, cell=cell):
            return rested[0]
    raise RuntimeError(f"{o.name} did not come to rest inside the workspace in {REDRAWS} draws")


def coloured_prism(rng: np.random.Generator, i: int, prism: Prism, T_world_object: np.ndarray) -> SceneObject:
    """A prism of one random, saturated colour."""
    hue, saturation, value = rng.uniform(0, 1), rng.uniform(0.55, 1.0), rng.uniform(0.45, 1.0)
    name = f"{prism.kind} {i + 1}"
    mass = DENSITY * prism.volume
    return SceneObject(name, prism, _rgb(hue, saturation, value), mass, FRICTION, T_world_object)


def positions_in(
    region: tuple[np.ndarray, np.ndarray], rng: np.random.Generator, radii: list[float], gap: float
) -> list[tuple[float, float]] | None:
    """Positions whose circles keep `gap` (metres) from each other and lie inside the region (predecessor's rejection).

    None where some found no place. region: its low and high corner (x, y), metres.
    """
    low, high = region
    placed: list[tuple[float, float]] = []
    for r in radii:
        if (high - low).min() < 2 * r:
            return None
        for _ in range(TRIES):
            x, y = rng.uniform(low + r, high - r)
            if all(np.hypot(x - u, y - v) >= r + radii[j] + gap for j, (u, v) in enumerate(placed)):
                placed.append((float(x), float(y)))
                break
        else:
            return None
    return placed


def _in_bounds(objects: list[SceneObject], place: CellModel = PAPERS) -> bool:
    """Whether all centres lie in the workspace, where the TCP can go."""
    return bool(place.inside(np.stack([o.T_world_object[:3, 3] for o in objects])).all())


def _fallen(objects: list[SceneObject]) -> bool:
    """Whether at least one prism lies on its side or leans: its axis is off the vertical by 10 degrees or more."""
    return any(abs(o.T_world_object[2, 2]) < np.cos(np.radians(10)) for o in objects)


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(hue, saturation, value)


TASKS: dict[str, Task] = {t.name: t for t in (SimpleTask(), ClutterTask(), NovelTask(), UnseenTask())}


def check_task(name: str) -> str:
    """A name that `task` may know: a shipped task's, or one of the form "module:Class", which is not imported.

    Raises ValueError naming what exists.
    """
    module, colon, member = name.partition(":")
    if name not in TASKS and not (colon and all(part.isidentifier() for part in (*module.split("."), member))):
        raise ValueError(f"unknown task {name!r}; tasks: {', '.join(TASKS)}, or your own as 'module:Class'")
    return name


TaskName = Annotated[str, AfterValidator(check_task)]
TaskNames = Annotated[tuple[str, ...], Field(min_length=1), each(check_task)]


def check_findable(name: str) -> None:
    """Whether the module of a task of one's own can be found, which runs nothing of it; raises ValueError if not."""
    for module in own_module(name):
        top = module.partition(".")[0]  # to find what is below it, its package would be imported
        if top not in sys.modules and importlib.util.find_spec(top) is None:
            raise ValueError(f"task {name!r} cannot be imported (no module named {top!r}); is its module on the path?")


def task(name: str, cell: CellDescription | None = None) -> Task:
    """A task by name, or one's own as "module:Class" (importable, so that worker processes find it too).

    cell: in which its scenes are; None: the paper's. Raises ValueError naming what exists, or what stands in the way of
    importing it, and for a cell whose workspace is too small.
    """
    found = _task(name)
    if cell is None:
        return found
    if problem := room_problem(cell):
        raise ValueError(problem)
    placed = copy.copy(found)
    placed.cell = cell
    return placed


def _task(name: str) -> Task:
    if check_task(name) in TASKS:
        return TASKS[name]
    module, _, member = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), member, None)
    except ImportError as error:
        raise ValueError(f"task {name!r} cannot be imported ({error}); is its module on the path?") from error
    if isinstance(found, type) and issubclass(found, Task):
        return found()
    raise ValueError(f"unknown task {name!r}: {module} has no subclass of Task of this name; tasks: {', '.join(TASKS)}")


def own_module(name: str) -> tuple[str, ...]:
    """The module of a task of one's own (none for the shipped ones): its code is part of what a run is made from."""
    return () if name in TASKS else (name.partition(":")[0],)
