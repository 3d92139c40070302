"""What every stage in the twin depends on."""

from __future__ import annotations

from dgrasp.evaluation.stage import AttemptsRecipe
from dgrasp.evaluation.workers import PolicySource, worker_policy
from dgrasp.policy.policies import GraspPolicy
from dgrasp.robot.limits import SafetyLimits
from dgrasp.robot.trials import for_real_robot
from dgrasp.twin.reality import TwinConfig


class TwinRecipe(AttemptsRecipe):
    """Reality as the twin draws it, besides cell and observer."""

    twin: TwinConfig

    def policy(self, source: PolicySource) -> GraspPolicy:
        """The policy in this process, with the real robot's rule (Sec. 5.2) within the limits of the recipe's cell."""
        return for_real_robot(worker_policy(source), SafetyLimits(cell=self.cell.description))
