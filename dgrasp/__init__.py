"""dGrasp: NeRF-informed implicit grasp policies with supervised optimization slopes.

For problems of your own, with any differentiable `value(pose) -> score` and nothing else of this package:

    from dgrasp import OptimizerConfig, optimize_poses, slope_loss, value_loss

    loss = value_loss(value(T_good_and_others))          # (n, 4, 4), metres, the good one first -> scores (n,)
    loss = loss + slope_loss(value, T, T_later, "quat")  # poses on trajectories, and where they went next: (n, 4, 4)
    found = optimize_poses(value, T_random, OptimizerConfig(), bounds=(low, high))  # best first

`slope_loss(value, points, targets)` without a representation takes points (n, d) of any space. Notebook 00 has a
worked example. Networks behind `value` need smooth activations.

The public names below are loaded when first used. What stands where: `poses`, `cameras`; `sim`, `data`, `nerf`,
`value`, `policy`, `evaluation`, `report`; `experiment` ties them together. Importing the package tells glibc to keep
freed memory (`dgrasp.memory`; `DGRASP_KEEP_MEMORY=0` says no).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dgrasp.memory import keep_freed_memory

__version__ = "0.1.0.dev0"
keep_freed_memory()

_HOMES = {
    "Experiment": "dgrasp.experiment",
    "GraspPolicy": "dgrasp.policy",
    "GraspValue": "dgrasp.value",
    "OptimizerConfig": "dgrasp.policy",
    "POLICIES": "dgrasp.policy",
    "Profile": "dgrasp.profiles",
    "Views": "dgrasp.cameras",
    "exact_slope_loss": "dgrasp.value",
    "load_profile": "dgrasp.profiles",
    "optimize_poses": "dgrasp.policy",
    "representation": "dgrasp.poses",
    "slope_loss": "dgrasp.value",
    "slopes": "dgrasp.value",
    "value_loss": "dgrasp.value",
}
__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from dgrasp.cameras import Views as Views
    from dgrasp.experiment import Experiment as Experiment
    from dgrasp.policy import POLICIES as POLICIES
    from dgrasp.policy import GraspPolicy as GraspPolicy
    from dgrasp.policy import OptimizerConfig as OptimizerConfig
    from dgrasp.policy import optimize_poses as optimize_poses
    from dgrasp.poses import representation as representation
    from dgrasp.profiles import Profile as Profile
    from dgrasp.profiles import load_profile as load_profile
    from dgrasp.value import GraspValue as GraspValue
    from dgrasp.value import exact_slope_loss as exact_slope_loss
    from dgrasp.value import slope_loss as slope_loss
    from dgrasp.value import slopes as slopes
    from dgrasp.value import value_loss as value_loss


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dgrasp' has no attribute {name!r}; public names: {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)
