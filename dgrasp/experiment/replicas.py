"""Further readouts of an experiment's models, of other initial weights: their logits may be added in plans.

They see the observations and poses that the first one saw, in as many rounds, and stand on the same Phi.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from dgrasp.experiment.chain import Experiment
from dgrasp.runs import Run
from dgrasp.value.training import SecondRound, train_runs, value_run

Named = dict[tuple[str, int], Run]


def train_replicas(experiment: Experiment, models: Iterable[str], count: int) -> Named:
    """Replicas 1 to `count` of some models, by model and number, trained in one pass for each round; complete."""
    names = list(product(dict.fromkeys(models), range(1, count + 1)))
    second = experiment.second_round()
    first = _trained(experiment, names, None)
    return first if second is None else _trained(experiment, names, SecondRound(second.outcomes, first))


def _trained(experiment: Experiment, names: list[tuple[str, int]], second: SecondRound | None) -> Named:
    config, nerf, demonstrations = experiment.value_inputs(second)
    runtime, root = experiment.profile.runtime, experiment.workspace
    runs = {
        (model, k): value_run(
            config, nerf, demonstrations, root, model=model, seed=experiment.seed, replica=k, second=second
        )
        for model, k in names
    }
    where = {"device": runtime.device, "devices": runtime.devices, "threads": runtime.threads}
    train_runs(runs.values(), nerf, demonstrations, second=second, **where)  # type: ignore[arg-type]
    return runs
