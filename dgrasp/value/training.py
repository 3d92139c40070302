"""The training stage of Psi: one run per model. Phi stays as pre-training left it."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from dgrasp.data import DemonstrationSet
from dgrasp.nerf import MVNeRF
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.runs import Run, RunError, open_run
from dgrasp.streams import torch_generator
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.observations import Observations
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout
from dgrasp.value.recipe import ValueRecipe
from dgrasp.value.trainer import Trainer
from dgrasp.value.validation import validate

CODE = ("dgrasp.value", "dgrasp.nerf", "dgrasp.poses", "dgrasp.cameras", "dgrasp.streams")


def value_run(config: ValueConfig, nerf_run: Run, demos_run: Run, root: Path, *, model: str, seed: int = 0) -> Run:
    """The run folder of one of `MODELS`, complete or not; nothing is trained."""
    recipe = ValueRecipe(model=model, value=config)
    inputs = {"nerf": nerf_run, "demonstrations": demos_run}
    return open_run(root, f"value-{model}", recipe, inputs=inputs, seed=seed, code=CODE)


def train_value(
    config: ValueConfig,
    nerf_run: Run,
    demos_run: Run,
    root: Path,
    *,
    model: str,
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
) -> Run:
    """Train one of `MODELS` on the demonstrations' training split; returns the complete run.

    Goes on from the last checkpoint of an interrupted run; the weights are then those of an undisturbed one (same
    device and number of threads). Raises pydantic's ValidationError for an unknown model or impossible settings.
    """
    run = value_run(config, nerf_run, demos_run, root, model=model, seed=seed)
    if run.complete:
        return run
    if threads is not None:
        torch.set_num_threads(threads)
    recipe = run.config
    assert isinstance(recipe, ValueRecipe)
    value = build_value(config, load_nerf(nerf_run, device), seed)
    sets = [DemonstrationSet(demos_run, split=split) for split in ("train", "validation")]
    if config.policy_views > sets[0].policy_views:
        raise ValueError(f"policy_views: {config.policy_views} asked, the demonstrations hold {sets[0].policy_views}")
    train, held_out = (Observations(s, value, config.cache_gib) for s in sets)
    trainer = Trainer(recipe, value, train, seed)
    start = trainer.restore(run)
    for step in tqdm(range(start, config.steps), desc=model, initial=start, total=config.steps, mininterval=5):
        losses = trainer.step(step)
        done = step + 1
        last = done == config.steps
        if last or done % config.validate_every == 0:
            run.log(done, **losses, **validate(recipe, value, held_out, seed))
        elif done % config.log_every == 0:
            run.log(done, **losses)
        if done % config.checkpoint_every == 0 and not last:
            trainer.checkpoint(run, done)
    run.save("readout", value.readout.state_dict())
    (run.path / "checkpoint.safetensors").unlink(missing_ok=True)
    return run.finish(model=model, nerf=nerf_run.fingerprint, **run.metrics()[-1])


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
    """A trained Psi on the Phi it was trained with; raises RunError for another Phi or an incomplete run."""
    if run.summary["nerf"] != nerf_run.fingerprint:
        raise RunError(f"{run.path}: was trained on another NeRF than that of {nerf_run.path}")
    assert isinstance(run.config, ValueRecipe)
    value = build_value(run.config.value, load_nerf(nerf_run, device))
    value.readout.load_state_dict(run.load("readout", device))
    value.readout.eval().requires_grad_(False)
    return value
