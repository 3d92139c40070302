"""dGrasp: NeRF-informed implicit grasp policies with supervised optimization slopes.

For problems of your own, with any differentiable `value(pose) -> score` and nothing else of this package:

    from dgrasp import OptimizerConfig, optimize_poses, slope_loss, grasp_ranking_loss

    loss = grasp_ranking_loss(value(T_good_and_others))  # (n, 4, 4), metres, the good one first -> scores (n,)
    loss = loss + slope_loss(value, T, T_later, "quat")  # poses on trajectories, and where they went next: (n, 4, 4)
    found = optimize_poses(value, T_random, OptimizerConfig(), bounds=(low, high))  # best first

`slope_loss(value, points, targets)` without a representation takes points (n, d) of any space. Notebook 00 has a
worked example. Networks behind `value` need smooth activations. This much needs torch, numpy, roma, jaxtyping and
pydantic; everything else the extra "companion".

The public names below are loaded when first used. Where each of the paper's sections stands; a folder may import from
those below it in this list, and not from those above (`make lint`):

    Sec. 4.2, 5    experiment/    the chain of all stages, its profiles, published results, replications
    Sec. 5.2       twin/          Table 2 in a digital twin of the real cell
    Sec. 5.2       robot/         the real cell: drivers, safety, calibration, trials and their log
    Sec. 5.1       evaluation/    one grasp attempt, series of them, Table 1 and its statistics; study/: Sec. 4.2
    Eq. 1          policy/        the eight policies
    Sec. 3.1, 4.1  value/         Psi: query points, readout, training with both losses
    Sec. 3.1       nerf/          Phi: encoder, fields, volume rendering, pre-training
    Sec. 4.1       data/          demonstrations, and captures of real cameras
    Sec. 4         sim/           the simulated cell: tasks, objects, oracle, execution
    Sec. 4         cell/          facts of the cell, and the interface that all its backends share
    Sec. 6         examples/      the loss where nothing is grasped
    Eq. 2 to 6     slopes/        losses.py, exact.py (Eq. 5), climb.py (Sec. 3.3): torch alone
                   jobs/          work side by side, in processes here or on other machines
    Sec. 3.3       poses.py       quaternions, the 6D representation; cameras.py beside it

Above them `report/` draws figures and tables, and `cli/` is the command `dgrasp`. Importing the package tells glibc to
keep freed memory (`dgrasp.memory`; `DGRASP_KEEP_MEMORY=0` says no).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgrasp.lazy import names_of
from dgrasp.memory import keep_freed_memory
from dgrasp.version import VERSION

__version__ = VERSION
keep_freed_memory()

_HOMES = {
    "Experiment": "dgrasp.experiment.chain",
    "GraspPolicy": "dgrasp.policy.policies",
    "GraspValue": "dgrasp.value.function",
    "OptimizerConfig": "dgrasp.slopes.config",
    "POLICIES": "dgrasp.policy.policies",
    "Profile": "dgrasp.experiment.profiles",
    "Views": "dgrasp.cameras",
    "exact_slope_loss": "dgrasp.slopes.exact",
    "grasp_ranking_loss": "dgrasp.slopes.losses",
    "load_profile": "dgrasp.experiment.profiles",
    "optimize_poses": "dgrasp.slopes.climb",
    "representation": "dgrasp.poses",
    "slope_loss": "dgrasp.slopes.losses",
    "value_gradient": "dgrasp.slopes.losses",
}
__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from dgrasp.cameras import Views as Views
    from dgrasp.experiment.chain import Experiment as Experiment
    from dgrasp.experiment.profiles import Profile as Profile
    from dgrasp.experiment.profiles import load_profile as load_profile
    from dgrasp.policy.policies import POLICIES as POLICIES
    from dgrasp.policy.policies import GraspPolicy as GraspPolicy
    from dgrasp.poses import representation as representation
    from dgrasp.slopes.climb import optimize_poses as optimize_poses
    from dgrasp.slopes.config import OptimizerConfig as OptimizerConfig
    from dgrasp.slopes.exact import exact_slope_loss as exact_slope_loss
    from dgrasp.slopes.losses import grasp_ranking_loss as grasp_ranking_loss
    from dgrasp.slopes.losses import slope_loss as slope_loss
    from dgrasp.slopes.losses import value_gradient as value_gradient
    from dgrasp.value.function import GraspValue as GraspValue


__getattr__ = names_of(__name__, _HOMES)
