"""Psi, the grasp value function: queries, readout, the two losses, training."""

from dgrasp.value.config import NegativeConfig, SlopeConfig, ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.losses import part_cosines, scores_and_slopes, slope_loss, slopes, value_loss
from dgrasp.value.queries import QueryConfig, QueryPoints
from dgrasp.value.readout import GraspReadout, ReadoutConfig
from dgrasp.value.recipe import MODELS, ValueRecipe
from dgrasp.value.samples import around_trajectories, around_trajectory, grasp_among_negatives, half_turned
from dgrasp.value.second_order import exact_slope_loss
from dgrasp.value.training import build_value, load_value, train_value, value_run

__all__ = [
    "MODELS",
    "GraspReadout",
    "GraspValue",
    "NegativeConfig",
    "QueryConfig",
    "QueryPoints",
    "ReadoutConfig",
    "SlopeConfig",
    "ValueConfig",
    "ValueRecipe",
    "around_trajectories",
    "around_trajectory",
    "build_value",
    "exact_slope_loss",
    "grasp_among_negatives",
    "half_turned",
    "load_value",
    "part_cosines",
    "scores_and_slopes",
    "slope_loss",
    "slopes",
    "train_value",
    "value_loss",
    "value_run",
]
