"""What reality adds to the simulated cell: every spread with its source or reason, and one draw of all of them.

The simulated tasks show a cell whose cameras are known exactly, whose light never changes and whose objects weigh what
the table says. `TwinConfig` says how far the twin departs from that, `Reality.draw` draws it for one presentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cameras import Intrinsics
from dgrasp.cell.config import CellConfig
from dgrasp.cell.transforms import transform
from dgrasp.config import Config
from dgrasp.sim.render import Light
from dgrasp.sim.tasks.everyday_scene import SURFACES

MAX_SHIFT, MAX_TURN = 0.1, 30.0  # of calibration errors, m and degrees: beyond, cameras look elsewhere


class TwinConfig(Config):
    """Spreads are standard deviations unless they say otherwise. None is in the paper, which only names the causes.

    All of them are drawn anew for every presentation, the calibration error too: every presentation stands for another
    cell. A real cell has one systematic error for a whole series, so that its trials scatter less, and all miss alike.
    What is null is no part of Table 2's reality, and only of the table of factors (`dgrasp.twin.factors`).
    """

    opt_in: ClassVar[frozenset[str]] = frozenset({"distractors", "object_texture", "size_spread"})
    distractors: int | None = Field(None, ge=0, le=8, description="small things beside the board")
    object_texture: bool | None = Field(None, description="the object wears one of the workbench's textures")
    size_spread: float | None = Field(None, ge=0, lt=0.5, description="sizes are the object's times 1 +- this, uniform")

    # --- calibration: what the policy is told is not what the camera did
    hand_eye_shift: float = Field(
        0.004, ge=0, le=MAX_SHIFT,
        description="Length of the error of T_tool0_cam, m, in a random direction: careful hand-eye calibrations "
        "reach 1 to 5 mm, and the paper moves grasps by 10 mm against it (Sec. 5.2)",
    )  # fmt: skip
    hand_eye_turn: float = Field(
        0.5, ge=0, le=MAX_TURN,
        description="Angle of the same, degrees, about a random axis: 7 mm at the working distance of 0.8 m",
    )  # fmt: skip
    focal_share: float = Field(
        0.005, ge=0, le=0.2, description="Of the focal length; 3 px of 617, as estimates scatter"
    )
    centre_share: float = Field(
        0.003, ge=0, le=0.2, description="Of the principal point, in image widths: 2 px of 640, as estimates scatter"
    )
    arm_shift: float = Field(
        0.0005, ge=0, le=0.05,
        description="Of each axis of each view's arm pose, m: an arm's accuracy is worse than its repeatability (UR10: "
        "0.1 mm), and not published",
    )  # fmt: skip

    # --- light and camera
    light_turn: float = Field(25.0, ge=0, le=60, description="Degrees off the simulated light's direction, uniform")
    ambient: tuple[float, float] = Field((0.40, 0.65), description="Share of ambient light, uniform: lamps or windows")
    diffuse: tuple[float, float] = Field((0.35, 0.60), description="Share of directed light, uniform")
    specular: float = Field(0.10, ge=0, le=1, description="Largest share of highlights, uniform from 0: glossy things")
    shadow: bool = Field(
        True,
        description="Objects cast shadows, as in every lab and in no training image (where the renderer's shadow map "
        "ends, a faint edge crosses the table)",
    )
    exposure_stops: float = Field(0.25, ge=0, le=3, description="Of auto-exposure, in stops, the same for both views")
    white_balance: float = Field(0.04, ge=0, le=0.5, description="Of the red and blue gains")
    read_noise: float = Field(1.5, ge=0, le=50, description="Of a pixel in the dark, in 8-bit counts, at indoor gain")
    shot_noise: float = Field(
        2.0, ge=0, le=50, description="Of a white pixel on top, falling as the root of brightness"
    )
    blur: float = Field(0.4, ge=0, le=5, description="Gaussian blur of lens and demosaicing, pixels of the image used")

    # --- table and physics
    textured_bench: bool = Field(True, description="Table and board have a laminate's texture instead of one colour")
    mass_spread: float = Field(0.2, ge=0, lt=1, description="Masses are those listed times 1 +- this, uniform")
    friction_spread: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="Friction of objects, pads and board likewise: tables of coefficients differ by that",
    )
    grip_spread: float = Field(0.2, ge=0, lt=1, description="Grip force likewise: the 2F-140 does not measure it")
    execution_shift: float = Field(
        0.0001, ge=0, le=0.05, description="Of each axis of the executed pose, m (UR10: 0.1 mm)"
    )

    # --- time: objects stand still, so latency costs seconds in the log and changes no outcome
    camera_latency: float = Field(0.10, ge=0, description="Seconds per view: three frames at 30 Hz")
    command_latency: float = Field(
        0.05, ge=0, description="Seconds per motion command: URCap sockets answer in 20 to 60 ms"
    )


@dataclass(frozen=True, eq=False)
class Reality:
    """One draw of everything that the policy does not know.

    E_cam: (views, 4, 4), error of each stated camera pose in its camera frame: T_stated = T_true @ E_cam.
    K_share: (4,) relative errors of fx, fy and errors of cx, cy in image widths.
    """

    E_cam: np.ndarray
    K_share: np.ndarray
    light: Light
    light_direction: tuple[float, float, float]
    surfaces: tuple[int, int]
    gains: np.ndarray
    mass: float
    friction: float
    pads: float
    board: float
    grip: float
    execution_shift: np.ndarray
    size: float = 1.0
    object_surface: int | None = None

    @classmethod
    def draw(cls, config: TwinConfig, views: int, seed: int, *path: str | int) -> Reality:
        """The draw addressed by `path`. Directions and numbers do not depend on the spreads' sizes, so that a sweep
        over a size compares the same presentations."""
        rng = streams.rng(seed, "twin", "calibration", *path)
        hand_eye = transform(
            Rotation.from_rotvec(np.radians(config.hand_eye_turn) * _direction(rng)),
            config.hand_eye_shift * _direction(rng),
        )
        K_share = rng.standard_normal(4) * ([config.focal_share] * 2 + [config.centre_share] * 2)
        K_share[1] = K_share[0]  # square pixels
        E_cam = np.repeat(hand_eye[None], views, axis=0)
        E_cam[:, :3, 3] += config.arm_shift * rng.standard_normal((views, 3))
        rng = streams.rng(seed, "twin", "looks", *path)
        turn = Rotation.from_rotvec(np.radians(config.light_turn) * rng.uniform() * _direction(rng))
        ambient, diffuse = rng.uniform(*config.ambient), rng.uniform(*config.diffuse)
        light = Light(ambient, diffuse, config.specular * rng.uniform(), config.shadow)
        towards = turn.apply(CellConfig().light_direction)
        exposure = 2.0 ** (config.exposure_stops * rng.standard_normal())
        gains = exposure * (1 + config.white_balance * rng.standard_normal(3) * [1, 0, 1])
        surfaces = rng.integers(0, SURFACES, 2)
        rng = streams.rng(seed, "twin", "physics", *path)
        spreads = [config.mass_spread] + 3 * [config.friction_spread] + [config.grip_spread]
        mass, friction, pads, board, grip = (1 + np.array(spreads) * rng.uniform(-1, 1, 5)).tolist()
        return cls(
            E_cam,
            K_share,
            light,
            light_direction=(float(towards[0]), float(towards[1]), float(towards[2])),
            surfaces=(int(surfaces[0]), int(surfaces[1])),
            gains=gains,
            mass=mass,
            friction=friction,
            pads=pads,
            board=board,
            grip=grip,
            execution_shift=config.execution_shift * rng.standard_normal(3),
            **_object(config, streams.rng(seed, "twin", "objects", *path)),
        )

    def cell(self, config: CellConfig) -> CellConfig:
        """The simulated cell's settings in this reality."""
        return config.model_copy(
            update={
                "light_direction": self.light_direction,
                "pad_friction": self.pads * config.pad_friction,
                "board_friction": self.board * config.board_friction,
                "grip_force": float(np.clip(self.grip * config.grip_force, *config.model.hand.force)),
            }
        )

    def intrinsics(self, stated: Intrinsics) -> Intrinsics:
        """The camera that really takes the pictures."""
        fx, fy, cx, cy = self.K_share
        return Intrinsics(
            stated.width, stated.height, stated.fx * (1 + fx), stated.fy * (1 + fy),
            stated.cx + cx * stated.width, stated.cy + cy * stated.width,
        )  # fmt: skip

    @property
    def off(self) -> tuple[float, float]:
        """Error of the first view's stated pose: metres and degrees."""
        turn = Rotation.from_matrix(self.E_cam[0, :3, :3]).magnitude()
        return float(np.linalg.norm(self.E_cam[0, :3, 3])), float(np.degrees(turn))


def _object(config: TwinConfig, rng: np.random.Generator) -> dict[str, Any]:
    """Size and texture of the object, where they are not its own."""
    size, surface = 1 + (config.size_spread or 0.0) * rng.uniform(-1, 1), int(rng.integers(SURFACES))
    return {"size": float(size), "object_surface": surface if config.object_texture else None}


def _direction(rng: np.random.Generator) -> np.ndarray:
    v = rng.standard_normal(3)
    return v / np.linalg.norm(v)
