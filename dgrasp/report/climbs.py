"""One recorded pose optimization: what Figures 1, 4, 5 and 6 are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.experiment import Experiment
from dgrasp.policy import share_near_grasps
from dgrasp.report.scenes import picture
from dgrasp.sim import Cell, oracle_grasps, task

SHOWN = 24  # candidates drawn in a figure


@dataclass(frozen=True, eq=False)
class Climb:
    """Candidates of one plan that climbed to the end, ranked by final value.

    views: a large image for drawing, not what the policy saw. T_world_tcp: (4, 4), the chosen grasp. finals: (n, 4, 4).
    scores: (n,). paths: (steps + 1, n, 4, 4). arrived: (steps + 1,), share near a valid grasp (NaN if
    the oracle knows none). Metres, world frame.
    """

    views: Views
    T_world_tcp: np.ndarray
    finals: np.ndarray
    scores: np.ndarray
    paths: np.ndarray
    arrived: np.ndarray

    @property
    def best_paths(self) -> np.ndarray:
        """Paths of the best candidates, (steps + 1, SHOWN, 4, 4), best first."""
        return self.paths[:, :SHOWN]

    def table(self, policy: str, task: str) -> pd.DataFrame:
        """The drawn paths as data: one row per candidate and step."""
        steps, shown = self.best_paths.shape[:2]
        positions = self.best_paths[..., :3, 3].reshape(-1, 3)
        index = {"policy": policy, "task": task, "step": np.repeat(np.arange(steps), shown)}
        index |= {"rank": np.tile(np.arange(shown), steps)}
        return pd.DataFrame(index | {axis: positions[:, i] for i, axis in enumerate("xyz")})


def record_climb(
    experiment: Experiment, policy: str, task_name: str, scene: int, split: str = "test", **changes: object
) -> Climb:
    """Plan in one scene and keep every candidate's path; `changes` override the policy's optimizer settings."""
    state = task(task_name).scene(split=split, index=scene, seed=experiment.seed)
    chosen = experiment.policy(policy, **changes)
    with Cell(experiment.profile.cell) as cell:
        cell.reset(state)
        observation = experiment.observer.observe(cell)
    generator = streams.torch_generator(experiment.seed, "figures", task_name, split, scene)
    plan = chosen.plan(observation, generator, record=True)
    order = plan.candidates.start
    assert plan.candidates.paths is not None
    paths = plan.candidates.paths[:, order].cpu()
    grasps = torch.as_tensor(oracle_grasps(state), dtype=paths.dtype)
    # A pile may leave no grasp that the oracle would take: then there is no share, rather than one of zero.
    arrived = share_near_grasps(paths, grasps) if len(grasps) else torch.full((len(paths),), torch.nan)
    return Climb(
        picture(experiment.profile.cell, state),
        plan.T_world_tcp.cpu().numpy(),
        plan.candidates.T_world_tcp.cpu().numpy(),
        plan.candidates.scores.cpu().numpy(),
        paths.numpy(),
        arrived.numpy(),
    )
