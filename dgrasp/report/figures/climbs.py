"""One recorded pose optimization: what Figures 1, 4, 5 and 6 are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import bootstrap

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.evaluation.workers import Recent, worker_scene
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.diagnostics import near_grasps, progress
from dgrasp.report.figures.pictures import picture
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import SimulatedCell

SHOWN = 24  # candidates drawn in a figure

# Of a scene that several policies meet, worked out once.
_views, _pictures, _known = Recent(64), Recent(8), Recent(64)


@dataclass(frozen=True, eq=False)
class Climb:
    """Candidates of one plan that climbed to the end, ranked by final value.

    views: a large image for drawing, not what the policy saw; None where nothing is drawn. T_world_tcp: (4, 4), the
    chosen grasp. finals: (n, 4, 4). scores: (n,). paths: (steps + 1, n, 4, 4). progress: of the candidates, step by
    step (`policy.progress`). near: (n,), which of `finals` are near one of the oracle's grasps; None if the oracle
    knows none. Metres, world frame.
    """

    views: Views | None
    T_world_tcp: np.ndarray
    finals: np.ndarray
    scores: np.ndarray
    paths: np.ndarray
    progress: pd.DataFrame
    near: np.ndarray | None

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
    experiment: Experiment,
    policy: str,
    task_name: str,
    scene: int,
    split: str = "test",
    *,
    drawn: bool = True,
    **changes: object,
) -> Climb:
    """Plan in one scene and keep every candidate's path; `changes` override the policy's optimizer settings.

    drawn: with an image to draw on.
    """
    state = worker_scene(task_name, split, scene, experiment.seed)
    chosen = experiment.policy(policy, **changes)
    generator = streams.torch_generator(experiment.seed, "figures", task_name, split, scene)
    plan = chosen.plan(_observed(experiment, state), generator, record=True)
    order = plan.candidates.start
    assert plan.candidates.paths is not None
    paths = plan.candidates.paths[:, order].cpu()
    grasps = torch.as_tensor(_known.get(state, lambda: oracle_grasps(state)), dtype=paths.dtype)
    return Climb(
        _drawn(experiment, state) if drawn else None,
        plan.T_world_tcp.cpu().numpy(),
        plan.candidates.T_world_tcp.cpu().numpy(),
        plan.candidates.scores.cpu().numpy(),
        paths.numpy(),
        progress(paths, grasps.reshape(-1, 4, 4), experiment.profile.value.bounds),
        near_grasps(plan.candidates.T_world_tcp.cpu(), grasps).numpy() if len(grasps) else None,
    )


def _observed(experiment: Experiment, state: Scene) -> Views:
    """What policies see of a scene."""
    settings, observer = experiment.profile.cell, experiment.observer

    def look() -> Views:
        with SimulatedCell(settings, observer) as cell:
            cell.show(state)
            return cell.observe()

    return _views.get((state, settings.digest(), observer.digest()), look)


def _drawn(experiment: Experiment, state: Scene) -> Views:
    settings = experiment.profile.cell
    return _pictures.get((state, settings.digest()), lambda: picture(settings, state))


def convergence(climbs: Mapping[str, Sequence[Climb]]) -> pd.DataFrame:
    """Columns `policy`, `step`, `near_grasp`, `in_corner`: means over each policy's climbs that have a share at all."""
    tables = {name: pd.concat([c.progress for c in each]).groupby("step").mean() for name, each in climbs.items()}
    return pd.concat(tables, names=["policy"]).reset_index()


def arrivals(climbs: Mapping[str, Sequence[Climb]]) -> pd.DataFrame:
    """Where candidates end: per policy the mean over scenes of `near_grasp` and `in_corner` at the last step.

    Each with its 95 % interval in `low_`, `high_` (percentile bootstrap over scenes; NaN for fewer than two of them).
    """
    rows = []
    for policy, each in climbs.items():
        row: dict[str, object] = {"policy": policy, "scenes": len(each)}
        for share in ("near_grasp", "in_corner"):
            ends = np.array([climb.progress[share].iloc[-1] for climb in each])
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
