"""Views and poses for the tests of Psi and the policies: random images from two real viewpoints."""

import numpy as np
import torch

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.poses import uniform_poses

LOW, HIGH = torch.tensor([-0.127, -0.305, 0.9605]), torch.tensor([0.527, 0.305, 1.0655])


def camera_views(n: int, size: tuple[int, int] = (32, 24), seed: int = 0) -> Views:
    rng = np.random.default_rng(seed)
    centre = torch.tensor([0.2, 0.0, 0.96], dtype=torch.float64)
    poses = [view_from_sphere(centre, 0.8, azimuth, 0.7).numpy() for azimuth in np.linspace(-1.0, 1.0, n)]
    K = Intrinsics.d415(*size).matrix
    images = rng.integers(0, 256, (n, size[1], size[0], 3), dtype=np.uint8)
    return Views(images, np.stack([K] * n), np.stack(poses))


def workspace_poses(n: int, seed: int) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, torch.Generator().manual_seed(seed))
