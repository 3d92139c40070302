"""What became of the policies' own grasps on training scenes, as training reads it: those that physics refuted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.poses import make_pose
from dgrasp.runs import Run, RunError

STAGE, FAILED = "outcomes", "failed"  # of the runs, and of the file in them


def failed_tensors(places: Iterable[tuple[int, int]], poses: Iterable[Any]) -> dict[str, Tensor]:
    """Scene and stage (n, 2) and `T_world_tcp` (n, 4, 4) of refuted grasps, as a run keeps them."""
    listed, grasps = list(places), [torch.as_tensor(T, dtype=torch.float32) for T in poses]
    return {
        "place": torch.tensor(listed, dtype=torch.int64).reshape(-1, 2),
        "T_world_tcp": torch.stack(grasps) if grasps else torch.zeros(0, 4, 4),
    }


def failed_grasps(run: Run) -> dict[tuple[int, int], Float[Tensor, "n 4 4"]]:
    """Refuted grasps by scene and stage of the training split; raises RunError for a run of another stage."""
    if run.stage != STAGE:
        raise RunError(f"{run.path}: expected a run of stage {STAGE!r}, got one of stage {run.stage!r}")
    run.check()
    kept = run.load(FAILED)
    found: dict[tuple[int, int], list[Tensor]] = {}
    for (scene, stage), T in zip(kept["place"].tolist(), kept["T_world_tcp"], strict=True):
        found.setdefault((scene, stage), []).append(make_pose(T[:3, :3], T[:3, 3]))
    return {place: torch.stack(poses) for place, poses in found.items()}
