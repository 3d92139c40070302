"""Randomised looks of training scenes: bench, background, light, shadow, highlights, camera. Not in the paper.

The family is wider than what the digital twin draws from. Benches are others (`dgrasp.sim.surfaces`), and a light is
drawn again where its ambient share, diffuse share and direction together could be the twin's. Exposure, white balance,
highlights, noise and blur are not held out: their ranges contain the twin's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, model_validator
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.miscalibration import random_direction
from dgrasp.config import Config
from dgrasp.sim.cell import Cell, Lenses
from dgrasp.sim.render import Light
from dgrasp.sim.surfaces import SURFACES, dress, surface_file

Range = tuple[float, float]
DRAWS = 1000  # of a light, before settings are refused
# Ambient and diffuse shares, and degrees off the usual light, of `dgrasp.twin.reality.TwinConfig`: held out.
TWINS_AMBIENT, TWINS_DIFFUSE, TWINS_TURN = (0.40, 0.65), (0.35, 0.60), 25.0


class LooksConfig(Config):
    """Ranges are uniform, single numbers the largest; "deviation" says where they are a standard deviation."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"plain_share"})
    plain_share: float | None = Field(
        None, gt=0, le=1, description="of observations without a look: the cell as the simulator has it; null: none"
    )
    ambient: Range = Field((0.25, 0.80), description="share of ambient light")
    diffuse: Range = Field((0.20, 0.80), description="share of directed light")
    light_turn: float = Field(50.0, ge=0, le=60, description="degrees off the usual direction")
    specular: float = Field(0.35, ge=0, le=1, description="share of highlights")
    shadow_share: float = Field(0.6, ge=0, le=1, description="share of observations with shadows, which take longer")
    exposure_stops: float = Field(0.4, ge=0, le=3, description="of exposure; deviation, the same for all views")
    white_balance: float = Field(0.08, ge=0, le=0.5, description="of the red and blue gains; deviation")
    read_noise: float = Field(4.0, ge=0, le=50, description="of a pixel in the dark, 8-bit counts")
    shot_noise: float = Field(4.0, ge=0, le=50, description="of a white pixel on top, falling as brightness' root")
    blur: float = Field(0.9, ge=0, le=5, description="Gaussian, pixels of the image used")
    vignette: float = Field(0.25, ge=0, le=1, description="share of light that the corners lose")
    distortion: float = Field(0.008, ge=0, le=0.1, description="shift of the corners, share of the half diagonal")

    @model_validator(mode="after")
    def _not_the_twins(self) -> LooksConfig:
        for name, (low, high) in (("ambient", self.ambient), ("diffuse", self.diffuse)):
            if not 0 <= low <= high <= 1:
                raise ValueError(f"{name}: expected two shares in order from 0 to 1, got {low:g} and {high:g}")
        if all(held_out(a, d, self.light_turn) for a in self.ambient for d in self.diffuse):
            raise ValueError("looks: the twin can draw every one of these lights, which are its test; widen a range")
        return self


@dataclass(frozen=True, eq=False)
class Look:
    """One draw: the same for all views of an observation but for their noise."""

    light: Light
    light_direction: tuple[float, float, float]
    background: tuple[float, float, float]
    table: int
    board: int
    gains: np.ndarray
    noise: tuple[float, float]
    blur: float
    vignette: float
    distortion: float

    @classmethod
    def draw(cls, config: LooksConfig, rng: np.random.Generator) -> Look:
        """A look that the twin does not have; raises ValueError for settings of which nearly all are the twin's."""
        for _ in range(DRAWS):
            ambient, diffuse = rng.uniform(*config.ambient), rng.uniform(*config.diffuse)
            turn = Rotation.from_rotvec(np.radians(config.light_turn) * rng.uniform() * random_direction(rng))
            x, y, z = towards = turn.apply(CellConfig().light_direction)
            if not held_out(ambient, diffuse, degrees_off(towards)):
                break
        else:
            raise ValueError(
                f"looks: none of {DRAWS} lights is one that the twin could not have drawn; widen ambient "
                f"{config.ambient}, diffuse {config.diffuse} or light_turn {config.light_turn:g}"
            )
        light = Light(ambient, diffuse, config.specular * rng.uniform(), bool(rng.uniform() < config.shadow_share))
        r, g, b = rng.uniform(0.02, 0.98, 3)
        exposure = 2.0 ** (config.exposure_stops * rng.standard_normal())
        return cls(
            light=light,
            light_direction=(float(x), float(y), float(z)),
            background=(float(r), float(g), float(b)),
            table=int(rng.integers(SURFACES)),
            board=int(rng.integers(SURFACES)),
            gains=exposure * (1 + config.white_balance * rng.standard_normal(3) * [1, 0, 1]),
            noise=(config.read_noise * rng.uniform(), config.shot_noise * rng.uniform()),
            blur=config.blur * rng.uniform(),
            vignette=config.vignette * rng.uniform(),
            distortion=config.distortion * rng.uniform(-1, 1),
        )


def degrees_off(towards: Float[np.ndarray, "3"]) -> float:
    """Angle of a direction to that of the usual light."""
    usual = np.array(CellConfig().light_direction)
    cosine = usual @ towards / (np.linalg.norm(usual) * np.linalg.norm(towards))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def held_out(ambient: float, diffuse: float, turn: float) -> bool:
    """Whether the twin could have drawn this light; turn: degrees."""
    inside = TWINS_AMBIENT[0] <= ambient <= TWINS_AMBIENT[1] and TWINS_DIFFUSE[0] <= diffuse <= TWINS_DIFFUSE[1]
    return inside and turn <= TWINS_TURN


def observe_in(
    look: Look,
    cell: Cell,
    Ts_world_cam: Float[np.ndarray, "views 4 4"],
    intrinsics: Lenses,
    rng: np.random.Generator,
) -> Views:
    """RGB views of the scene in this look; the bench keeps it until the cell is reset, physics sees none of it."""
    dress(cell.world, {"table": surface_file(look.table), "board": surface_file(look.board)})
    with _lit(cell, look):
        seen = cell.observe(Ts_world_cam, intrinsics)
    return Views(np.stack([photographed(image, look, rng) for image in seen.images]), seen.K, seen.Ts_world_cam)


def photographed(image: UInt8[np.ndarray, "h w 3"], look: Look, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """What the look's camera makes of a rendering: lens, blur, exposure and white balance, noise, clipping."""
    x = gaussian_filter(_through_lens(image.astype(np.float64), look), sigma=(look.blur, look.blur, 0)) * look.gains
    read, shot = look.noise
    x += np.sqrt(read**2 + shot**2 * np.clip(x, 0, 255) / 255) * rng.standard_normal(x.shape)
    return np.clip(x, 0, 255).round().astype(np.uint8)


def _through_lens(x: np.ndarray, look: Look) -> np.ndarray:
    """Radial distortion, as what a calibration leaves of it, and darker corners."""
    h, w = x.shape[:2]
    v, u = (np.arange(n) - (n - 1) / 2 for n in (h, w))
    r2 = (v[:, None] ** 2 + u**2) / (v[0] ** 2 + u[0] ** 2)  # 1 at the corners
    scale = 1 + look.distortion * r2
    rows, columns = v[:, None] * scale - v[0], u * scale - u[0]
    bent = [map_coordinates(x[..., c], [rows, columns], order=1, mode="nearest") for c in range(3)]
    return np.stack(bent, axis=-1) * (1 - look.vignette * r2)[..., None]


@contextmanager
def _lit(cell: Cell, look: Look) -> Iterator[None]:
    usual = cell.config, cell.light
    update = {"light_direction": look.light_direction, "background": look.background}
    cell.config, cell.light = cell.config.model_copy(update=update), look.light
    try:
        yield
    finally:
        cell.config, cell.light = usual
