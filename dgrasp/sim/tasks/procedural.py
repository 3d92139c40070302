"""A training set of procedural objects and prisms, printed and plain, lying, leaning and piled. Not in the paper.

In a profile: `data: {task: "dgrasp.sim.tasks.procedural:Procedural"}`, or `Mixed`. Objects are those of
`dgrasp.sim.objects.made`; no YCB model and none of the twin's everyday objects is among them.
"""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from dgrasp.cell.transforms import direction, transform
from dgrasp.sim.objects.made import LIBRARY, TRAINING, family_of, load_made
from dgrasp.sim.objects.prints import PRINTS
from dgrasp.sim.objects.shapes import Made, Prism
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.settling import physics_rest, stays
from dgrasp.sim.tasks.crowded import Printed, varied_prism
from dgrasp.sim.tasks.paper import REDRAWS, Task, positions_in

MADE_SHARE = 0.6  # of objects; the others are prisms as in `crowded`
PILED_SHARE = 0.4  # of scenes; in the others objects lie or stand apart
PRINTED_SHARE = 0.4
PRISMS_SHARE = 0.5  # of scenes of `Mixed`
UPRIGHT_SHARE = 0.5  # of objects that are set down as they were made, turned about the vertical, and not tumbled
DENSITY = (200.0, 900.0)  # kg/m^3: hollow plastic to hard wood; heads of handles up to six times that
HEAVIEST = 0.9  # kg
PACKED_SIDE = 0.3  # m: of the square in which packed objects stand, as the workspace of VGN's protocol
UPRIGHT_COSINE = np.cos(np.radians(10))  # least cosine of a packed object's axis and the vertical
FRICTION = (0.35, 0.9)  # of objects; the pads' and the board's are factors to it


class Procedural(Task):
    """Five objects: made ones and prisms, apart or in a pile."""

    name = "procedural"
    scenes = 10
    objects = 5
    attempts = 5
    description = "five procedural objects and prisms, printed and plain, lying, leaning or piled"
    made, piled, upright = MADE_SHARE, PILED_SHARE, UPRIGHT_SHARE

    def scene(
        self, split: str = "train", index: int = 0, seed: int = 0, objects: int | None = None, draw: int = 0
    ) -> Scene:
        rng = self.stream(split, index, seed, draw)
        library = range(TRAINING) if split == "train" else range(TRAINING, LIBRARY)
        arranged = tuple(self._arranged(rng, objects or self.objects, library))
        return Scene(arranged, self.name, split, index, seed, self.cell)

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        return self._arranged(rng, objects, range(TRAINING))

    def _arranged(self, rng: np.random.Generator, objects: int, library: range) -> list[SceneObject]:
        piled, place = rng.uniform() < self.piled, self.place
        for _ in range(REDRAWS):
            drawn = [random_object(rng, i, library, self.made, place.hand.scale) for i in range(objects)]
            middle = rng.uniform(place.low[:2] + 0.13, place.high[:2] - 0.13) if piled else None
            placed = self._set_out(rng, drawn, middle)
            rested = None if placed is None else physics_rest(placed, pull_to=middle, cell=self.cell)
            inside = rested and place.inside(np.stack([o.T_world_object[:3, 3] for o in rested])).all()
            if rested and inside and self._as_meant(rested) and stays(rested, cell=self.cell):
                return rested
        raise RuntimeError(
            f"no arrangement came to rest in {REDRAWS} draws: the procedural task's limits are too tight"
        )

    def _set_out(
        self, rng: np.random.Generator, objects: list[SceneObject], middle: np.ndarray | None
    ) -> list[SceneObject] | None:
        place = self.place
        return _above(rng, objects, middle, self.upright, (place.low[:2], place.high[:2]), place.board_top)

    def _as_meant(self, rested: list[SceneObject]) -> bool:
        return True


def random_object(
    rng: np.random.Generator, i: int, library: range, made: float = MADE_SHARE, scale: float = 1.0
) -> SceneObject:
    """A made object or a prism of random looks, mass and friction, at the origin; scale: of the prisms."""
    shape: Made | Prism
    if rng.uniform() < made:
        number = int(rng.choice(library))
        shape, kind, volume = Made(number), family_of(number), load_made(number).volume
    else:
        shape = varied_prism(rng, scale)
        kind, volume = shape.kind, shape.volume
    mass = min(float(rng.uniform(*DENSITY)) * volume, HEAVIEST)
    friction = float(rng.uniform(*FRICTION))
    o = SceneObject(f"{kind} {i + 1}", shape, random_colour(rng), max(mass, 0.005), friction, np.eye(4))
    printed = int(rng.integers(PRINTS))
    return replace(o, printed=printed) if rng.uniform() < PRINTED_SHARE else o


def random_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Any colour: grey to saturated, nearly black to white."""
    return colorsys.hsv_to_rgb(rng.uniform(0, 1), rng.uniform(0, 1) ** 0.7, rng.uniform(0.06, 1.0))


def _above(
    rng: np.random.Generator,
    objects: list[SceneObject],
    middle: np.ndarray | None,
    upright: float,
    region: tuple[np.ndarray, np.ndarray],
    board_top: float,
) -> list[SceneObject] | None:
    """The objects over the board, ready to fall: in a ring about `middle`, or each over a place of its own in a region.

    None where there is not room for all.
    """
    places: list[tuple[float, float]] | None
    if middle is None:
        places = positions_in(region, rng, [0.8 * _room(o, upright) for o in objects], gap=0.0)
    else:
        angles = rng.uniform(-np.pi, np.pi) + 2 * np.pi * np.arange(len(objects)) / len(objects)
        reach = rng.uniform(0.07, 0.13, len(objects))
        offsets = [r * np.array(direction(float(a))) for r, a in zip(reach, angles, strict=True)]
        places = [(float(x), float(y)) for x, y in middle + np.array(offsets)]
    if places is None:
        return None
    lifted = 0.004 if middle is None else 0.03
    height = board_top + lifted
    return [_posed(rng, o, (*place, height), upright) for o, place in zip(objects, places, strict=True)]


def _room(o: SceneObject, upright: float) -> float:
    """Radius (m) of the circle that an object may claim: of all its ways to lie, or of the one where it stands."""
    if upright < 1 or not isinstance(o.shape, Made | Prism):
        return float(o.shape.radius)
    return float(np.linalg.norm(o.shape.mesh()[0][:, :2], axis=1).max())


def _posed(rng: np.random.Generator, o: SceneObject, place: tuple[float, float, float], share: float) -> SceneObject:
    """Turned at random, its lowest point at the height of `place`."""
    upright = rng.uniform() < share
    R = Rotation.from_euler("z", rng.uniform(-np.pi, np.pi)) if upright else Rotation.random(rng=rng)
    corners = o.shape.mesh()[0] if isinstance(o.shape, Made | Prism) else np.zeros((1, 3))
    lowest = float(R.apply(corners)[:, 2].min())
    return o.moved(transform(R, (*place[:2], place[2] - lowest)))


class Mixed(Procedural):
    """The same, but half of the scenes are crowded upright prisms, as `dgrasp.sim.tasks.crowded:Printed` has them."""

    name = "mixed"
    description = "five procedural objects and prisms as they fall, or up to five upright prisms, crowded to spread"

    def _arranged(self, rng: np.random.Generator, objects: int, library: range) -> list[SceneObject]:
        if rng.uniform() >= PRISMS_SHARE:
            return super()._arranged(rng, objects, library)
        prisms = Printed()
        prisms.cell = self.cell
        return prisms.arrange(rng, objects)


class Pile(Procedural):
    """Five made objects in a pile, as in VGN's protocol of that name, of shapes that no training has seen.

    Their own objects are others, and larger ones do not fit this cell.
    """

    name = "pile"
    made, piled = 1.0, 1.0
    description = "five procedural objects in a pile"


class Packed(Procedural):
    """Five made objects that stand upright near each other, as in VGN's protocol of that name; see `Pile`."""

    name = "packed"
    made, piled, upright = 1.0, 0.0, 1.0
    description = "five procedural objects that stand side by side"

    def _set_out(
        self, rng: np.random.Generator, objects: list[SceneObject], middle: np.ndarray | None
    ) -> list[SceneObject] | None:
        """In a square somewhere on the board, so that they are neighbours."""
        place = self.place
        corner = rng.uniform(place.low[:2], np.maximum(place.high[:2] - PACKED_SIDE, place.low[:2]))
        return _above(rng, objects, None, self.upright, (corner, corner + PACKED_SIDE), place.board_top)

    def _as_meant(self, rested: list[SceneObject]) -> bool:
        """Whether all stand as they were set down."""
        return all(o.T_world_object[2, 2] > UPRIGHT_COSINE for o in rested)
