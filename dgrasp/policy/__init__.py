"""The pose optimizer and the policies that use it."""

from dgrasp.policy.config import OptimizerConfig, TuningConfig
from dgrasp.policy.optimizer import Optimized, optimize_poses
from dgrasp.policy.policies import CONTROLS, POLICIES, GraspPolicy, NoGraspError, Plan, PolicySpec, policy_spec

__all__ = [
    "CONTROLS",
    "POLICIES",
    "GraspPolicy",
    "NoGraspError",
    "Optimized",
    "OptimizerConfig",
    "Plan",
    "PolicySpec",
    "TuningConfig",
    "optimize_poses",
    "policy_spec",
]
