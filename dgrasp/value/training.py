"""The training stage of Psi: one run per model. Phi stays as pre-training left it."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.devices import Worker, check_device, check_shares, run_on
from dgrasp.nerf.checkpoint import discard, load_weights
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.precision import settled_precision
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.runs import Run, RunError, open_run
from dgrasp.streams import torch_generator
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout
from dgrasp.value.trainer import Trainer
from dgrasp.value.validation import validate

CODE = (
    "dgrasp.value",
    "dgrasp.nerf",
    "dgrasp.sim",
    "dgrasp.devices",
    "dgrasp.poses",
    "dgrasp.cameras",
    "dgrasp.streams",
)


def value_run(config: ValueConfig, nerf_run: Run, demos_run: Run, root: Path, *, model: str, seed: int = 0) -> Run:
    """The run folder of one of `MODELS`, complete or not; nothing is trained.

    Models that are trained in the same way have one run, of the first one's name (see `ValueRecipe.trained_as`).
    """
    asked = ValueRecipe(model=model, value=config)
    recipe = ValueRecipe(model=asked.trained_as, value=config)
    inputs = {"nerf": nerf_run, "demonstrations": demos_run}
    return open_run(root, f"value-{recipe.model}", recipe, inputs=inputs, seed=seed, code=CODE)


def train_value(
    config: ValueConfig,
    nerf_run: Run,
    demos_run: Run,
    root: Path,
    *,
    model: str,
    seed: int = 0,
    device: str = "cpu",
    devices: int = 1,
    threads: int | None = None,
) -> Run:
    """Train one of `MODELS` on the demonstrations' training split; returns the complete run.

    Goes on from the last checkpoint of an interrupted run; the weights are then those of an undisturbed one (same
    devices and number of threads). devices: how many of the kind `device` share each step. Raises pydantic's
    ValidationError for an unknown model or impossible settings, DeviceError for devices that are not there or that
    cannot share the batch evenly.
    """
    run = value_run(config, nerf_run, demos_run, root, model=model, seed=seed)
    if run.complete:
        return run
    check_device(device, devices)
    check_shares("value.batch", config.batch, devices)
    held = DemonstrationSet(demos_run, split="train").policy_views
    if config.policy_views > held:
        raise ValueError(f"policy_views: {config.policy_views} asked, the demonstrations hold {held}")
    assert isinstance(nerf_run.config, NerfConfig)
    precision = settled_precision(nerf_run.config.precision_in_use, device)
    run_on(_work, run, nerf_run, demos_run, precision, device=device, devices=devices, threads=threads)
    return run


def _work(worker: Worker, run: Run, nerf_run: Run, demos_run: Run, precision: str) -> None:
    """All of one process's work on the run."""
    recipe, seed = run.config, run.seed
    assert isinstance(recipe, ValueRecipe)
    phi = load_nerf(nerf_run, str(worker.device)).with_precision(precision)
    value = build_value(recipe.value, phi, seed)
    config = recipe.value
    train, held_out = (
        Observations(
            DemonstrationSet(demos_run, split, config.scenes_in_memory, config.policy_views), value, config.cache_gib
        )
        for split in ("train", "validation")
    )
    _train(run, Trainer(recipe, value, train, seed, worker), held_out)
    if not worker.leads:
        return
    run.save("readout", value.readout.state_dict())
    dtypes = {"precision": str(phi.compute_dtype or torch.float32)}
    if recipe.representation is not None:
        dtypes["slope_precision"] = str(torch.float32)
    run.finish(model=recipe.model, nerf=nerf_run.fingerprint, **worker.description, **dtypes, **run.metrics()[-1])
    discard(run)


def _train(run: Run, trainer: Trainer, held_out: Observations) -> None:
    """The steps that are left; one process keeps the run's metrics and checkpoints."""
    recipe, config, leads = trainer.recipe, trainer.config, trainer.worker.leads
    start = trainer.restore(run)
    shown = {"initial": start, "total": config.steps, "mininterval": 5, "disable": not leads}
    for step in tqdm(range(start, config.steps), recipe.model, **shown):
        losses = trainer.step(step)
        done = step + 1
        last = done == config.steps
        if not leads:
            continue
        if last or done % config.validate_every == 0:
            run.log(done, **losses, **validate(recipe, trainer.value, held_out, run.seed))
        elif done % config.log_every == 0:
            run.log(done, **losses)
        if done % config.checkpoint_every == 0 and not last:
            trainer.checkpoint(run, done)


def build_value(config: ValueConfig, phi: MVNeRF, seed: int = 0) -> GraspValue:
    """Psi with fresh weights; equal seeds give equal weights, whatever the model."""
    queries = QueryPoints.from_config(config.queries)
    readout = GraspReadout(
        config.readout,
        queries=len(queries),
        activations=phi.activation_count,
        hidden=phi.config.field.hidden,
        generator=torch_generator(seed, "value", "weights"),
    )
    return GraspValue(phi, readout.to(next(phi.parameters()).device), queries, config.fusion)


def load_value(run: Run, nerf_run: Run, device: str = "cpu") -> GraspValue:
    """A trained Psi on the Phi it was trained with.

    Raises RunError for another Phi or an incomplete run, DamagedFileError for weights that are not this model's.
    """
    if run.summary["nerf"] != nerf_run.fingerprint:
        raise RunError(f"{run.path}: was trained on another NeRF than that of {nerf_run.path}")
    assert isinstance(run.config, ValueRecipe)
    value = build_value(run.config.value, load_nerf(nerf_run, device))
    load_weights(value.readout, run.load("readout", device), run.path / "readout.safetensors")
    value.readout.eval().requires_grad_(False)
    return value
