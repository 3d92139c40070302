"""The pose optimizer and the policies that use it."""

from dgrasp.policy.config import OptimizerConfig, TuningConfig
from dgrasp.policy.diagnostics import (
    in_corner,
    near_grasps,
    progress,
    share_near_grasps,
    slope_agreement,
    success_by_value,
    value_ranks_success,
)
from dgrasp.policy.optimizer import Optimized, optimize_poses
from dgrasp.policy.policies import CONTROLS, POLICIES, GraspPolicy, NoGraspError, Plan, PolicySpec, policy_spec
from dgrasp.policy.tuning import Tuned, best, run_off, tune

__all__ = [
    "CONTROLS",
    "POLICIES",
    "GraspPolicy",
    "NoGraspError",
    "Optimized",
    "OptimizerConfig",
    "Plan",
    "PolicySpec",
    "Tuned",
    "TuningConfig",
    "best",
    "in_corner",
    "near_grasps",
    "optimize_poses",
    "policy_spec",
    "progress",
    "run_off",
    "share_near_grasps",
    "slope_agreement",
    "success_by_value",
    "tune",
    "value_ranks_success",
]
