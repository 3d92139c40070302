"""Grasps for one's own photographs: a folder of images with known cameras in, ranked grasp poses out.

    dgrasp plan-from-images photos --policy dgrasp_quat_sync

The folder holds a `transforms.json` in nerfstudio's layout (see `dgrasp.data.export.write_transforms`). Two photographs
from opposite sides are what the policies were trained for. Their cameras must be given in the cell's world frame (z up,
metres, the board's centre at `dgrasp.cell.workspace.BOARD_CENTRE`), or in one of their own with `T_world_capture`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.transforms import pose_problem
from dgrasp.data.export import read_transforms
from dgrasp.files import DamagedFileError, read_json
from dgrasp.policy.policies import GraspPolicy, Plan
from dgrasp.poses import gripper_symmetric_angle
from dgrasp.robot.trials import Planner

APART, TURNED = 0.02, 20.0  # m and degrees: closer poses are the same grasp


@dataclass(frozen=True, eq=False)
class RankedGrasps:
    """Grasps in the world frame, best first, and the views they were planned from.

    Ts_world_tcp: (n, 4, 4), metres. values: (n,) raw scores of Psi: they rank, and are no probabilities.
    """

    Ts_world_tcp: Float[np.ndarray, "n 4 4"]
    values: Float[np.ndarray, "n"]
    views: Views

    @property
    def table(self) -> pd.DataFrame:
        """One row per grasp: rank, value, x y z (m), qx qy qz qw."""
        q = Rotation.from_matrix(self.Ts_world_tcp[:, :3, :3]).as_quat(canonical=True)
        columns = {"rank": range(1, len(q) + 1), "value": self.values}
        columns |= {axis: self.Ts_world_tcp[:, i, 3] for i, axis in enumerate("xyz")}
        return pd.DataFrame(columns | {f"q{axis}": q[:, i] for i, axis in enumerate("xyzw")})


def read_photos(path: Path, T_world_capture: Float[np.ndarray, "4 4"] | None = None) -> tuple[Views, tuple[str, ...]]:
    """Views of a folder (or of its `transforms.json`), in the world frame, and their file names.

    Raises FileNotFoundError (no such file), DamagedFileError (not a transforms.json), ValueError (no intrinsics, sizes
    that do not fit, distortion, matrices that are no camera poses).
    """
    path = Path(path)
    path = path / "transforms.json" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a folder of photographs with a transforms.json in it")
    about = read_json(path)
    frames = about.get("frames") if isinstance(about, dict) else None
    if not frames or not all(isinstance(f, dict) and {"file_path", "transform_matrix"} <= f.keys() for f in frames):
        raise DamagedFileError(
            f"{path}: expected `frames`, a list of objects that each have `file_path` and `transform_matrix`"
        )
    for frame in frames:
        _check_frame(path, {**about, **frame})
    T = np.eye(4) if T_world_capture is None else np.asarray(T_world_capture, dtype=np.float64)
    if problem := pose_problem(T):
        raise ValueError(f"T_world_capture: {problem}")
    views = read_transforms(path)
    return Views(views.images, views.K, T @ views.Ts_world_cam), tuple(f["file_path"] for f in frames)


def rank_grasps(
    path: Path,
    policy: GraspPolicy,
    *,
    width: int,
    n: int = 10,
    seed: int = 0,
    downwards: bool = True,
    T_world_capture: Float[np.ndarray, "4 4"] | None = None,
) -> RankedGrasps:
    """Plan on a folder of photographs; returns at most `n` grasps that differ by 2 cm or 20 degrees, best first.

    width: of the images the policy was trained on, pixels (`experiment.observer.width`).
    downwards: only poses whose approach axis points below the horizon, as on the real robot (Sec. 5.2).
    Raises what `read_photos` raises, and ValueError if a camera sees nothing of the workspace or nothing points down.
    """
    if n < 1:
        raise ValueError(f"n: expected 1 or more, got {n}")
    views, names = read_photos(path, T_world_capture)
    views = as_trained(views, width)
    unfiltered = GraspPolicy(
        policy.spec,
        policy.value,
        policy.config.model_copy(update={"approach": "any", "approach_offset": 0.0}),
        policy.bounds,
    )
    try:
        found = unfiltered.plan(views, streams.torch_generator(seed, "own images")).candidates
    except ValueError as error:
        cameras = ", ".join(f"camera {i} is {name}" for i, name in enumerate(names))
        raise ValueError(f"{path}: {error}. {cameras}; poses are expected in the cell's world frame, metres") from error
    Ts, values = found.T_world_tcp.double().cpu(), found.scores.double().cpu().numpy()
    candidates = torch.nonzero(Ts[:, 2, 2] < 0).flatten().tolist() if downwards else list(range(len(Ts)))
    if not candidates:
        raise ValueError(f"{path}: none of {len(Ts)} candidates points downwards; see `downwards`")
    chosen = _distinct(Ts, candidates, n)
    return RankedGrasps(Ts[chosen].numpy(), values[chosen], views)


def as_trained(views: Views, width: int) -> Views:
    """The photographs, sampled so that a focal length is as many pixels as in training images of this width.

    Objects then look as large as the policy has seen them, whatever the camera; the views' calibration is scaled along.
    """
    size_then = views.images.shape[2], views.images.shape[1]
    share = Intrinsics.d415(width).fx / float(views.K[:, 0, 0].mean())
    size = max(8, round(size_then[0] * share)), max(8, round(size_then[1] * share))
    if size == size_then:
        return views
    images = np.stack([np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in views.images])
    K, scale = views.K.copy(), np.divide(size, size_then)
    K[:, [0, 1], [0, 1]] *= scale
    K[:, :2, 2] = (K[:, :2, 2] + 0.5) * scale - 0.5  # pixel centres are at integers
    return Views(images, K, views.Ts_world_cam)


class ResizeToTraining:
    """A policy for cells whose cameras are finer than its training images; for `run_trials`, after `for_real_robot`.

    It plans on `as_trained(views, width)`. The log keeps the cell's own images.
    """

    def __init__(self, policy: Planner, width: int) -> None:
        self.policy, self.width, self.config = policy, width, policy.config

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        """See `GraspPolicy.plan`."""
        return self.policy.plan(as_trained(views, self.width), generator)


def _check_frame(path: Path, values: dict) -> None:
    name = values["file_path"]
    file = path.parent / name
    if not file.is_file():
        raise FileNotFoundError(f"{path}: frame {name!r}: no such image at {file}")
    with Image.open(file) as image:
        size = image.size
    stated = values.get("w", size[0]), values.get("h", size[1])
    if stated != size:
        raise ValueError(
            f"{path}: frame {name!r} has {size[0]}x{size[1]} pixels, but its intrinsics are for "
            f"{stated[0]}x{stated[1]}; calibrate or scale both together"
        )
    problem = pose_problem(values["transform_matrix"])
    if problem:
        raise ValueError(f"{path}: frame {name!r}: transform_matrix: {problem}")


def _distinct(Ts: torch.Tensor, ranked: Sequence[int], n: int) -> list[int]:
    """The first `n` candidates that are not the same grasp as a better one."""
    chosen: list[int] = []
    for i in ranked:
        near = [
            j
            for j in chosen
            if torch.linalg.vector_norm(Ts[i, :3, 3] - Ts[j, :3, 3]) < APART
            and float(torch.rad2deg(gripper_symmetric_angle(Ts[i, :3, :3], Ts[j, :3, :3]))) < TURNED
        ]
        if not near:
            chosen.append(i)
        if len(chosen) == n:
            break
    return chosen
