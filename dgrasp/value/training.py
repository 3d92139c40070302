"""The training stage of Psi: one pass for all models, a run for each. Phi stays as pre-training left it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import torch
from tqdm import tqdm

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.devices import Worker, check_device, check_shares, run_on
from dgrasp.nerf.checkpoint import discard
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.precision import settled_precision
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.nerf.weights import load_weights
from dgrasp.runs import Run, RunError, open_run
from dgrasp.streams import torch_generator
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.outcomes import failed_grasps
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout
from dgrasp.value.steered import SteeredReadout, SteeredValue
from dgrasp.value.trainer import Learner, Trainer, check_one_pass
from dgrasp.value.validation import validate


class Computed(TypedDict, total=False):
    """What a pass is computed by: `devices` of the kind `device` share each step. threads: see `run_on`."""

    device: str
    devices: int
    threads: int | None


@dataclass(frozen=True)
class SecondRound:
    """What a second round of training goes on from: outcomes of the policies' own grasps, and the first round's runs.

    starts: by model and replica.
    """

    outcomes: Run
    starts: Mapping[tuple[str, int], Run]

    def inputs(self, recipe: ValueRecipe) -> dict[str, Run]:
        """The runs that a model's second round is made from, besides the first's."""
        return {"outcomes": self.outcomes, "start": self.starts[recipe.model, recipe.replica]}


def value_run(
    config: ValueConfig,
    nerf_run: Run,
    demos_run: Run,
    root: Path,
    *,
    model: str,
    seed: int = 0,
    replica: int = 0,
    second: SecondRound | None = None,
) -> Run:
    """The run folder of one of `MODELS`, complete or not; nothing is trained.

    replica: which of several initial weights. second: of a second round, which goes on from the first one's weights.
    Models that are trained in the same way have one run, of the first one's name (see `ValueRecipe.trained_as`).
    """
    asked = ValueRecipe(model=model, value=config)
    recipe = ValueRecipe(model=asked.trained_as, value=config, replica=replica)
    inputs = {"nerf": nerf_run, "demonstrations": demos_run} | (second.inputs(recipe) if second else {})
    return open_run(root, f"value-{recipe.model}", recipe, inputs=inputs, seed=seed, code=(__name__,))


def train_value(
    config: ValueConfig,
    nerf_run: Run,
    demos_run: Run,
    root: Path,
    *,
    model: str,
    seed: int = 0,
    **computed: Unpack[Computed],
) -> Run:
    """Train one of `MODELS`; returns the complete run. See `train_values`."""
    return train_values(config, nerf_run, demos_run, root, models=[model], seed=seed, **computed)[model]


def train_values(
    config: ValueConfig,
    nerf_run: Run,
    demos_run: Run,
    root: Path,
    *,
    models: Sequence[str],
    seed: int = 0,
    second: SecondRound | None = None,
    **computed: Unpack[Computed],
) -> dict[str, Run]:
    """Train some of `MODELS` on the demonstrations' training split, in one pass; returns their complete runs.

    They see the same observations, encoded once, at the same poses as far as their losses do; each one's weights are,
    to the bit, those it would have got alone. Complete ones are only read, and models that are trained in the same way
    share a run. Goes on from the last checkpoints of an interrupted pass; the weights are then those of an undisturbed
    one (same devices and number of threads). Raises pydantic's ValidationError for an unknown model or impossible
    settings, DeviceError for devices that are not there or that cannot share the batch evenly.
    """
    inputs = config, nerf_run, demos_run, root
    runs = {model: value_run(*inputs, model=model, seed=seed, second=second) for model in models}
    train_runs(runs.values(), nerf_run, demos_run, second=second, **computed)
    return runs


def train_runs(
    runs: Iterable[Run],
    nerf_run: Run,
    demos_run: Run,
    *,
    device: str = "cpu",
    devices: int = 1,
    threads: int | None = None,
    second: SecondRound | None = None,
) -> None:
    """Train the runs that `value_run` gave for these inputs and one seed, in one pass; as `train_values` does.

    They may be several replicas of a model, or arms of an ablation. Raises ValueError, beside what `train_values`
    raises, for runs of several seeds and for settings that see other observations (see `check_one_pass`).
    """
    missing = list({run.path: run for run in runs if not run.complete}.values())
    if not missing:
        return
    check_device(device, devices)
    check_one_pass([_recipe(run) for run in missing])
    if len(seeds := sorted({run.seed for run in missing})) > 1:
        raise ValueError(f"runs: of seeds {seeds}, which see other observations; expected one seed (see replica)")
    config = _recipe(missing[0]).value
    check_shares("value.batch", config.batch, devices)
    held = DemonstrationSet(demos_run, split="train").policy_views
    if config.policy_views > held:
        raise ValueError(f"policy_views: {config.policy_views} asked, the demonstrations hold {held}")
    assert isinstance(nerf_run.recipe, NerfConfig)
    precision = settled_precision(nerf_run.recipe.precision_in_use, device)
    with ExitStack() as ours:
        for run in sorted(missing, key=lambda run: run.path):  # in one order, so that no two passes wait for each other
            ours.enter_context(run.writing())
        missing = [run for run in missing if not run.complete]
        for run in missing:
            run.share = 1 / len(missing)
        if missing:
            work = (_work, missing, nerf_run, demos_run, precision, second)
            run_on(*work, device=device, devices=devices, threads=threads)


def _work(
    worker: Worker, runs: list[Run], nerf_run: Run, demos_run: Run, precision: str, second: SecondRound | None = None
) -> None:
    """All of one process's work on the runs of a pass."""
    phi = load_nerf(nerf_run, str(worker.device)).with_precision(precision)
    recipes = [_recipe(run) for run in runs]
    values = [
        build_value(recipe.value, phi, run.seed, recipe.replica, recipe.steered)
        for recipe, run in zip(recipes, runs, strict=True)
    ]
    config = recipes[0].value
    train, held_out = (
        Observations(
            DemonstrationSet(demos_run, split, config.scenes_in_memory, config.policy_views),
            values[0],
            config.cache_gib,
            config.maps,
            failed,
        )
        for split, failed in (("train", failed_grasps(second.outcomes) if second else None), ("validation", {}))
    )
    if second is not None:
        for recipe, value in zip(recipes, values, strict=True):
            start = second.starts[recipe.model, recipe.replica]
            load_weights(value.readout, start.load("readout", str(worker.device)), start.path / "readout.safetensors")
    after = max(_recipe(start).value.steps for start in second.starts.values()) if second else 0
    trainer = Trainer(recipes, values, train, runs[0].seed, worker, after)
    _train(runs, trainer, held_out)
    if not worker.leads:
        return
    for run, learner in zip(runs, trainer.learners, strict=True):
        run.save("readout", learner.learned.readout.state_dict())
        dtypes = {"precision": str(phi.compute_dtype or torch.float32)}
        if learner.recipe.representation is not None:
            dtypes["slope_precision"] = str(torch.float32)
        run.finish(
            model=learner.recipe.model, nerf=nerf_run.fingerprint, **worker.description, **dtypes, **run.metrics()[-1]
        )
        discard(run)


def _recipe(run: Run) -> ValueRecipe:
    assert isinstance(run.recipe, ValueRecipe)
    return run.recipe


def _train(runs: list[Run], trainer: Trainer, held_out: Observations) -> None:
    """The steps that are left: the pass begins where the learner begins that has the most to do."""
    worker, steps = trainer.worker, max(learner.config.steps for learner in trainer.learners)
    starts = [learner.restore(run, worker) for run, learner in zip(runs, trainer.learners, strict=True)]
    names = ", ".join(dict.fromkeys(learner.recipe.model for learner in trainer.learners))
    shown = {"initial": min(starts), "total": steps, "mininterval": 5, "disable": not worker.leads}
    for step in tqdm(range(min(starts), steps), names, **shown):
        at_work = [
            (run, learner)
            for run, learner, start in zip(runs, trainer.learners, starts, strict=True)
            if start <= step < learner.config.steps
        ]
        losses = trainer.step(step, [learner for _, learner in at_work])
        if worker.leads:
            for (run, learner), loss in zip(at_work, losses, strict=True):
                _note(run, learner, held_out, step + 1, loss)


def _note(run: Run, learner: Learner, held_out: Observations, done: int, losses: dict[str, float]) -> None:
    """Keep metrics and checkpoint of one learner after `done` steps, where they are due."""
    config, last = learner.config, done == learner.config.steps
    if last or done % config.validate_every == 0:
        run.log(done, **losses, **validate(learner.recipe, learner.learned, held_out, run.seed))
    elif done % config.log_every == 0:
        run.log(done, **losses)
    if done % config.checkpoint_every == 0 and not last:
        learner.checkpoint(run, done)


def build_value(config: ValueConfig, phi: MVNeRF, seed: int = 0, replica: int = 0, steered: bool = False) -> GraspValue:
    """Psi with fresh weights; equal seeds and replicas give equal weights, whatever the model.

    steered: with a second readout, which says slopes outright.
    """
    address: list[str | int] = ["value", "weights", *([replica] if replica else [])]
    queries = QueryPoints.from_config(config.queries)
    readout = (SteeredReadout if steered else GraspReadout)(
        config.readout,
        queries=len(queries),
        activations=phi.activation_count,
        hidden=phi.config.field.hidden,
        generator=torch_generator(seed, *address),
    )
    kind = SteeredValue if steered else GraspValue
    return kind(phi, readout.to(next(phi.parameters()).device), queries, config.fusion)


def load_value(run: Run, nerf_run: Run, device: str = "cpu", phi: MVNeRF | None = None) -> GraspValue:
    """A trained Psi on the Phi it was trained with; phi: that of `nerf_run`, if it has been loaded on the device.

    Raises RunError for another Phi or an incomplete run, DamagedFileError for weights that are not this model's.
    """
    if run.summary["nerf"] != nerf_run.fingerprint:
        raise RunError(f"{run.path}: was trained on another NeRF than that of {nerf_run.path}")
    assert isinstance(run.recipe, ValueRecipe)
    value = build_value(run.recipe.value, phi or load_nerf(nerf_run, device), steered=run.recipe.steered)
    load_weights(value.readout, run.load("readout", device), run.path / "readout.safetensors")
    value.readout.eval().requires_grad_(False)
    return value
