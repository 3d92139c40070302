"""A tiny Phi, calibrated views of the workspace, random queries, and Phi's activations worked out the long way."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dgrasp.cameras import Intrinsics, pixels_of, view_from_sphere
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import invert, rotate_directions, transform_points

CENTRE = torch.tensor([0.2, 0.0, 0.9605], dtype=torch.float64)


def tiny_config(frame: str = "camera", **training) -> NerfConfig:
    return NerfConfig.model_validate(
        {
            "encoder": {"kind": "convolution", "channels": 6, "width": 4},
            "field": {
                "frame": frame,
                "hidden": 8,
                "blocks_per_view": 2,
                "position_frequencies": 3,
                "direction_frequencies": 2,
            },
            "rays": {"coarse_samples": 8, "fine_samples": 6},
            "training": training,
        }
    )


def calibrated(scenes: int, views: int, width: int = 24, height: int = 18, dtype=torch.float64):
    """K (b, v, 3, 3) and Ts_world_cam (b, v, 4, 4) of cameras on the sphere round the board."""
    K = torch.as_tensor(Intrinsics.d415(width, height).matrix, dtype=dtype).expand(scenes, views, 3, 3)
    azimuths = torch.linspace(-2.0, 2.0, scenes * views).tolist()
    Ts = torch.stack([view_from_sphere(CENTRE, 0.8, a, math.radians(40.0)) for a in azimuths])
    return K, Ts.to(dtype).view(scenes, views, 4, 4)


def random_queries(scenes: int, n: int, seed: int = 0, dtype=torch.float64):
    """Points in the workspace and unit directions."""
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.tensor([-0.1, -0.3, 0.96]), torch.tensor([0.5, 0.3, 1.06])
    points = low + (high - low) * torch.rand(scenes, n, 3, generator=generator)
    directions = F.normalize(torch.randn(scenes, n, 3, generator=generator), dim=-1)
    return points.to(dtype), directions.to(dtype)


def unfused_activations(phi: MVNeRF, enc: EncodedViews, points: Tensor, directions: Tensor) -> Tensor:
    """The plain reference: gather all input columns with torch's grid_sample, then one linear layer and the blocks."""
    per_view = []
    c = phi.config.field
    for view in range(enc.views):
        T_cam_world = invert(enc.Ts_world_cam[:, view])
        p_cam, d_cam = transform_points(T_cam_world, points), rotate_directions(T_cam_world, directions)
        uv = pixels_of(enc.K[:, view], p_cam)
        sampled = [_grid_sample(m[:, view], uv * s) for m, s in ((enc.rgb, 1.0), (enc.features, 0.5))]
        p, d = (p_cam, d_cam) if c.frame == "camera" else (points, directions)
        codes = [positional_code(p, c.position_frequencies), positional_code(d, c.direction_frequencies)]
        x = phi.fine.first(torch.cat([*codes, *sampled], dim=-1))
        for block in phi.fine.per_view:
            x = block(x)
        per_view.append(x)
    out = [torch.stack(per_view).mean(0)]
    for block in phi.fine.shared:
        out.append(block(out[-1]))
    return torch.stack(out, dim=-2)


def _grid_sample(maps: Tensor, uv: Tensor) -> Tensor:
    size = uv.new_tensor([maps.shape[2] - 1, maps.shape[1] - 1])
    grid = (uv / size * 2 - 1)[:, :, None]
    out = F.grid_sample(maps.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=True)
    return out[..., 0].transpose(1, 2)
