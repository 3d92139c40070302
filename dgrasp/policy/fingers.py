"""Do the open fingers come down into matter? Asked of the NeRF's own density, without physics. Not in the paper."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from dgrasp.config import Config
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import Pose, transform_points

PAD, BACK = 0.0735, 0.0875  # m from the TCP along its x axis: inner and outer side of the open fingers
HALF_WIDTH = 0.0135  # m, of a finger along y
TIP, UPWARD = -0.009, (0.0, 0.02, 0.04)  # m along z: where open fingers end, and how far back points lie from there
LENGTH = 0.01  # m of matter that a density is judged over


class FingerCheck(Config):
    """Which candidates are looked at, and how much matter is too much."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"shape"})
    shape: tuple[float, float, float, float] | None = Field(
        default=None,
        description="of another hand's open fingers, m: inner and outer side from the TCP, half their width, and how "
        "far ahead they end; null: the 2F-140's",
    )
    candidates: int = Field(default=32, ge=1, description="so many of the best are looked at, in order")
    opacity: float = Field(
        default=0.5, gt=0, le=1, description="light that 1 cm of the fingers' surroundings may hold back, worst point"
    )


def finger_points(shape: tuple[float, float, float, float] | None = None) -> Float[Tensor, "n 3"]:
    """Points in both open fingers, frame of the TCP, metres; shape: as in `FingerCheck`."""
    inner, outer, half_width, tip = shape or (PAD, BACK, HALF_WIDTH, TIP)
    grid = torch.cartesian_prod(
        torch.tensor([-outer, -inner, inner, outer]), torch.tensor([-half_width, 0.0, half_width]), torch.tensor(UPWARD)
    )
    return torch.stack([grid[:, 0], grid[:, 1], tip - grid[:, 2]], dim=-1)


@torch.no_grad()
def matter_at_fingers(
    phi: MVNeRF, enc: EncodedViews, T_world_tcp: Pose, shape: tuple[float, float, float, float] | None = None
) -> Float[Tensor, "n"]:
    """Opacity of 1 cm at the worst point of the open fingers, for poses (n, 4, 4) in one encoded scene."""
    points = transform_points(T_world_tcp, finger_points(shape).to(T_world_tcp))
    looking = torch.nn.functional.normalize(enc.Ts_world_cam[0, :, :3, 2].mean(dim=0), dim=0).to(T_world_tcp)
    directions = looking.expand(1, len(points), 3)
    activation = phi.activations(enc, points[None], directions)[..., -1, :]
    _, density = phi.fine.radiance(activation)
    return (1 - torch.exp(-LENGTH * density[0])).amax(dim=-1).to(T_world_tcp)


def first_free(phi: MVNeRF, enc: EncodedViews, ranked: Pose, check: FingerCheck) -> int:
    """The best candidate whose fingers are free; where none is, the one of those looked at that meets least matter.

    ranked: poses (n, 4, 4), best first.
    """
    matter = matter_at_fingers(phi, enc, ranked[: check.candidates], check.shape)
    free = torch.nonzero(matter < check.opacity).flatten()
    return int(free[0]) if len(free) else int(matter.argmin())
