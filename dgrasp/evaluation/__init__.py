"""Trials, success rates and their statistics."""

from dgrasp.evaluation.attempts import Attempt, Episode, Observer, attempts_in
from dgrasp.evaluation.config import EvaluationConfig, TaskBudget, ValidationConfig
from dgrasp.evaluation.stage import EvaluationRecipe, evaluate, read_trials
from dgrasp.evaluation.statistics import paired_comparison, success_rates
from dgrasp.evaluation.tuning import TuningRecipe, tune_policy, tuning_run
from dgrasp.evaluation.workers import PolicySource

__all__ = [
    "Attempt",
    "Episode",
    "EvaluationConfig",
    "EvaluationRecipe",
    "Observer",
    "PolicySource",
    "TaskBudget",
    "TuningRecipe",
    "ValidationConfig",
    "attempts_in",
    "evaluate",
    "paired_comparison",
    "read_trials",
    "success_rates",
    "tune_policy",
    "tuning_run",
]
