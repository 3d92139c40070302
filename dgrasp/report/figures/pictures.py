"""Large pictures of scenes, as backgrounds of figures. Policies never see them.

Rendered several times as fine and averaged, cropped to the board, with a soft shadow of each object on it; the board is
lighter than what policies see, so that thin lines show on it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import ConvexHull

from dgrasp.cameras import Intrinsics, Views, project
from dgrasp.cell.config import CellConfig
from dgrasp.cell.viewpoints import viewpoint
from dgrasp.cell.workspace import BOARD_CENTRE, BOARD_SIZE, BOARD_TOP
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.objects.shapes import Model
from dgrasp.sim.render import Light, render
from dgrasp.sim.scene import Scene, SceneObject

FINER = 3  # pixels rendered for each pixel shown, along each side
LIGHT_BOARD = {"board_colour": (0.90, 0.91, 0.92), "table_colour": (0.74, 0.66, 0.57), "background": (1.0, 1.0, 1.0)}
SHADOW = 0.72  # of the light is left where an object's shadow falls
TOWARDS_LIGHT = np.array([-0.35, 0.45, 1.0])  # of the shadows alone
ROUND_THE_BOARD = (0.05, 0.06)  # metres of table beside the board, and of height above it, in a picture
FROM_THE_SIDE = viewpoint(math.radians(-90), math.radians(38), 1.7)  # farther away than cameras of policies


def picture(config: CellConfig, scene: Scene, width: int = 720, finer: int = FINER) -> Views:
    """One view of a scene, cropped to the board, with its calibration; `width` in pixels."""
    return picture_from(config, scene, FROM_THE_SIDE, _cropped_to_board(FROM_THE_SIDE, width), finer)


def close_up(
    config: CellConfig, scene: Scene, p_world: Float[np.ndarray, "n 3"], width: int, finer: int = FINER
) -> Views:
    """The part of `picture` round points (metres), in its proportions of 4 to 3."""
    uv, _ = project(*(torch.from_numpy(x) for x in (np.eye(3), FROM_THE_SIDE, np.asarray(p_world, dtype=np.float64))))
    (u_low, v_low), (u_high, v_high) = uv.min(dim=0).values.tolist(), uv.max(dim=0).values.tolist()
    half = 0.62 * max(u_high - u_low, 4 / 3 * (v_high - v_low)) + 0.02
    focal, u, v = width / (2 * half), (u_low + u_high) / 2, (v_low + v_high) / 2
    height = round(0.75 * width)
    camera = Intrinsics(width, height, focal, focal, width / 2 - focal * u, height / 2 - focal * v)
    return picture_from(config, scene, FROM_THE_SIDE, camera, finer)


def picture_from(
    config: CellConfig, scene: Scene, T_world_cam: Float[np.ndarray, "4 4"], camera: Intrinsics, finer: int = FINER
) -> Views:
    """One view of a scene from a camera of one's own, drawn `finer` times as fine and averaged."""
    fine = camera.resized(camera.width * finer, camera.height * finer)
    with Cell(config.model_copy(update=LIGHT_BOARD)) as cell:
        cell.reset(scene)
        workbench = [*cell.world.statics, *cell.world.drawn]
        rendered = render(cell.client, cell.config, T_world_cam, fine, Light(0.62, 0.38))
    ground = np.isin(rendered.bodies, workbench)
    shaded = _with_shadows(rendered.rgb, ground, scene, T_world_cam, fine)
    return averaged(Views(shaded[None], fine.matrix[None], T_world_cam[None]), finer)


def averaged(views: Views, times: int) -> Views:
    """Views with `times` as few pixels along each side, each the mean of those that it replaces."""
    images = np.stack([np.asarray(Image.fromarray(image).reduce(times)) for image in views.images])
    K = np.diag([1 / times, 1 / times, 1.0]) @ views.K
    return Views(images, K, views.Ts_world_cam)


def _cropped_to_board(T_world_cam: Float[np.ndarray, "4 4"], width: int) -> Intrinsics:
    """The camera whose picture is the board with some of what is round it."""
    beside, above = ROUND_THE_BOARD
    half = np.array([BOARD_SIZE[0] / 2 + beside, BOARD_SIZE[1] / 2 + beside, 0.0])
    corners = [BOARD_CENTRE + half * (x, y, 0) for x in (-1, 1) for y in (-1, 1)]
    p = torch.from_numpy(np.array([corner + np.array([0, 0, z]) for corner in corners for z in (0.0, above)]))
    uv, _ = project(torch.eye(3, dtype=torch.float64), torch.from_numpy(T_world_cam), p)
    (u_low, v_low), (u_high, v_high) = uv.min(dim=0).values.tolist(), uv.max(dim=0).values.tolist()
    focal = width / (u_high - u_low)
    return Intrinsics(width, round(focal * (v_high - v_low)), focal, focal, -focal * u_low, -focal * v_low)


def _with_shadows(
    rgb: UInt8[np.ndarray, "h w 3"],
    ground: Bool[np.ndarray, "h w"],
    scene: Scene,
    T_world_cam: Float[np.ndarray, "4 4"],
    camera: Intrinsics,
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture, darker where an object stands between the light and the ground; edges are soft."""
    mask = Image.new("L", (camera.width, camera.height), 0)
    K, T = torch.from_numpy(camera.matrix), torch.from_numpy(np.asarray(T_world_cam, dtype=np.float64))
    for thing in scene.objects:
        uv, _ = project(K, T, torch.from_numpy(_shadow_of(thing)))
        outline = uv.numpy()[ConvexHull(uv.numpy()).vertices]
        ImageDraw.Draw(mask).polygon([tuple(p) for p in outline.tolist()], fill=255)
    dark = np.asarray(mask.filter(ImageFilter.GaussianBlur(camera.width / 200)), dtype=np.float64) / 255
    light = np.where(ground, 1 - (1 - SHADOW) * dark, 1.0)
    return np.round(rgb * light[..., None]).astype(np.uint8)


def _shadow_of(thing: SceneObject) -> Float[np.ndarray, "n 3"]:
    """Where the light's rays through an object's vertices meet the board, metres."""
    p = vertices(thing)
    height = np.maximum(p[:, 2:] - BOARD_TOP, 0.0)
    return p - height * TOWARDS_LIGHT / TOWARDS_LIGHT[2]


def vertices(thing: SceneObject) -> Float[np.ndarray, "n 3"]:
    """An object's vertices in the world, metres; of a mesh model, those of its convex parts."""
    shape = thing.shape
    corners = load_model(shape.name).corners if isinstance(shape, Model) else shape.mesh()[0].reshape(-1, 3)
    return corners @ thing.T_world_object[:3, :3].T + thing.T_world_object[:3, 3]
