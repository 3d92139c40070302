"""The pose optimizer and the policies that use it."""

from dgrasp.policy.config import OptimizerConfig, TuningConfig
from dgrasp.policy.diagnostics import grasp_errors, in_corner, share_near_grasps
from dgrasp.policy.optimizer import Optimized, optimize_poses
from dgrasp.policy.policies import CONTROLS, POLICIES, GraspPolicy, NoGraspError, Plan, PolicySpec, policy_spec
from dgrasp.policy.tuning import Tuned, best, tune

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
    "grasp_errors",
    "in_corner",
    "optimize_poses",
    "policy_spec",
    "share_near_grasps",
    "tune",
]
