"""Recorded pose optimizations: what Figures 1, 4, 5, 6 and the animation are drawn from.

Every random start climbs to the end, as in the paper, and what is drawn of them is not chosen: the first ones that were
drawn at random. A policy's own settings drop most candidates early, which shows survivors alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull
from scipy.stats import bootstrap

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.model import PAPERS
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.diagnostics import near_grasps, progress
from dgrasp.policy.policies import GraspPolicy
from dgrasp.report.figures.pictures import vertices
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task

CONTRAST = ("base_quat_sync", "dgrasp_quat_sync")  # of each method the one that moves and turns at once
AT_OBJECT = 0.02  # metres by which an object's convex hull is grown: a TCP in there ended at the object
SHARES = ("near_grasp", "at_object", "in_corner")


@dataclass(frozen=True, eq=False)
class Climb:
    """Candidates of one plan, all of which climbed to the end.

    scene: where. T_world_tcp: (4, 4), the chosen grasp. finals: (n, 4, 4) and scores: (n,), by final value, best first.
    paths: (steps + 1, n, 4, 4), in the order in which starts were drawn at random. progress: shares of all candidates,
    step by step: `near_grasp` (NaN where the oracle knows no grasp), `at_object`, `in_corner`. near: (n,), which of
    `finals` are near one of the oracle's grasps; None if it knows none. reach: metres that the climb's rates can carry
    a candidate along each axis. Metres, world frame.
    """

    scene: Scene | None
    T_world_tcp: np.ndarray
    finals: np.ndarray
    scores: np.ndarray
    paths: np.ndarray
    progress: pd.DataFrame
    near: np.ndarray | None
    reach: float = 0.0

    @property
    def hand(self) -> Hand:
        """Whose poses these are; without a scene the paper's."""
        return (PAPERS if self.scene is None else self.scene.model).hand

    def sample(self, n: int) -> Float[np.ndarray, "steps n 4 4"]:
        """Paths of the first n random starts, whatever became of them."""
        return self.paths[:, :n]

    def share(self, name: str, step: int = -1) -> float:
        """A column of `progress` after a step; default: the last."""
        return float(self.progress[name].iloc[step])

    def table(self, policy: str, task: str, n: int) -> pd.DataFrame:
        """The drawn paths as data: one row per candidate and step."""
        some = self.sample(n)
        steps, shown = some.shape[:2]
        positions = some[..., :3, 3].reshape(-1, 3).round(5)
        index = {"policy": policy, "task": task, "step": np.repeat(np.arange(steps), shown)}
        index |= {"start": np.tile(np.arange(shown), steps)}
        return pd.DataFrame(index | {axis: positions[:, i] for i, axis in enumerate("xyz")})


def record_climbs(
    experiment: Experiment,
    policies: Sequence[str],
    task_name: str,
    scenes: Sequence[int],
    split: str = "test",
    **changes: object,
) -> dict[str, list[Climb]]:
    """Plan in each scene with each policy, from the same random starts, and keep every candidate's path.

    Nothing is dropped on the way (`pruning=()`); `changes` override more of the policies' optimizer settings.
    """
    loaded = {name: experiment.policy(name, **{"pruning": (), **changes}) for name in policies}
    climbs: dict[str, list[Climb]] = {name: [] for name in policies}
    for index, (state, observation) in zip(scenes, _observed(experiment, task_name, scenes, split), strict=True):
        for name, policy in loaded.items():
            generator = streams.torch_generator(experiment.seed, "figures", task_name, split, index)
            climbs[name].append(_climbed(policy, state, observation, generator, experiment.profile.value.bounds))
    return climbs


def _observed(
    experiment: Experiment, task_name: str, scenes: Sequence[int], split: str
) -> Iterator[tuple[Scene, Views]]:
    with SimulatedCell(experiment.profile.cell, experiment.observer) as cell:
        for index in scenes:
            state = task(task_name, cell.description).scene(split=split, index=index, seed=experiment.seed)
            cell.show(state)
            yield state, cell.observe()


def _climbed(
    policy: GraspPolicy,
    state: Scene,
    observation: Views,
    generator: torch.Generator,
    bounds: tuple[torch.Tensor, torch.Tensor],
) -> Climb:
    plan = policy.plan(observation, generator, record=True)
    assert plan.candidates.paths is not None
    paths = plan.candidates.paths.cpu()
    grasps = torch.as_tensor(oracle_grasps(state), dtype=paths.dtype)
    table = progress(paths, grasps.reshape(-1, 4, 4), bounds)
    return Climb(
        state,
        plan.T_world_tcp.cpu().numpy(),
        plan.candidates.T_world_tcp.cpu().numpy(),
        plan.candidates.scores.cpu().numpy(),
        paths.numpy(),
        table.assign(at_object=[at_object(state, p).mean() for p in paths[..., :3, 3].numpy()]),
        near_grasps(plan.candidates.T_world_tcp.cpu(), grasps).numpy() if len(grasps) else None,
        reach_of(policy),
    )


def reach_of(policy: GraspPolicy) -> float:
    """Metres that Adam's steps add up to along one axis, if all point the same way: the sum of the decaying rates."""
    config = policy.config
    return float(sum(config.translation_rate * config.translation_decay**k for k in range(config.steps)))


def at_object(scene: Scene, p_world: Float[np.ndarray, "n 3"], grown: float = AT_OBJECT) -> Bool[np.ndarray, "n"]:
    """Which points (metres) lie in the convex hull of an object, all of whose faces were moved outwards by `grown`."""
    found = np.zeros(len(p_world), dtype=bool)
    for thing in scene.objects:
        planes = ConvexHull(vertices(thing)).equations
        found |= (p_world @ planes[:, :3].T + planes[:, 3] <= grown).all(axis=1)
    return found


def progress_by_scene(climbs: Mapping[str, Sequence[Climb]]) -> pd.DataFrame:
    """Columns `policy`, `scene`, `step` and the shares of `Climb.progress`; scenes are counted as the climbs are."""
    parts = [
        climb.progress.assign(policy=name, scene=scene)
        for name, each in climbs.items()
        for scene, climb in enumerate(each)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["policy", "scene", "step", *(name for name in table if name in SHARES)]]


def convergence(by_scene: pd.DataFrame) -> pd.DataFrame:
    """Of `progress_by_scene`, `policy`, `step` and the shares: means over those of a policy's scenes that have one."""
    means = by_scene.groupby(["policy", "step"], sort=False)[[name for name in by_scene if name in SHARES]].mean()
    return means.reset_index()


def arrivals(climbs: Mapping[str, Sequence[Climb]]) -> pd.DataFrame:
    """Where candidates end: per policy the mean over scenes of each of `SHARES` at the last step.

    Each with its 95 % interval in `low_`, `high_` (percentile bootstrap over scenes; NaN for fewer than two of them).
    """
    rows = []
    for policy, each in climbs.items():
        row: dict[str, object] = {"policy": policy, "scenes": len(each)}
        for share in SHARES:
            ends = np.array([climb.share(share) for climb in each])
            ends = ends[~np.isnan(ends)]
            low, high = np.nan, np.nan
            if len(ends) > 1:
                low, high = bootstrap((ends,), np.mean, method="percentile", rng=0).confidence_interval
            mean = float(ends.mean()) if len(ends) else np.nan
            row |= {share: mean, f"low_{share}": low, f"high_{share}": high}
        rows.append(row)
    return pd.DataFrame(rows)


def final_values(climbs: Mapping[str, Sequence[Climb]]) -> pd.DataFrame:
    """One row per final candidate: `policy`, `value`, and as `success` whether it is near a valid grasp.

    Scenes in which the oracle knows no valid grasp are left out.
    """
    rows = [
        pd.DataFrame({"policy": name, "value": climb.scores, "success": climb.near})
        for name, each in climbs.items()
        for climb in each
        if climb.near is not None
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["policy", "value", "success"])


def shown(wanted: Sequence[str], policies: Sequence[str]) -> list[str]:
    """The wanted policies; for one that the profile lacks, another of its method; none of a method without any.

    Raises ValueError if nothing is left to be shown.
    """
    chosen = [name if name in policies else _stand_in(name, policies) for name in wanted]
    found = list(dict.fromkeys(name for name in chosen if name))
    if not found:
        raise ValueError(f"policies: none of the methods of {', '.join(wanted)}; got {', '.join(policies)}")
    return found


def _stand_in(name: str, policies: Sequence[str]) -> str | None:
    method = name.partition("_")[0]
    return next((policy for policy in policies if policy.startswith(f"{method}_")), None)
