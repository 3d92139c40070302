"""Pre-training of Phi by novel view synthesis on demonstrations' views (Soti et al. 2024, after VisionNeRF)."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.devices import Worker, check_device, check_shares, run_on
from dgrasp.nerf.batches import HasViews, RayBatch, draw_batch, halved
from dgrasp.nerf.checkpoint import discard, restore, save
from dgrasp.nerf.config import ImagenetEncoderConfig, NerfConfig, PretrainConfig, VisionEncoderConfig
from dgrasp.nerf.imagenet import check_imagenet
from dgrasp.nerf.imagenet_encoder import ImagenetEncoder, check_installed
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.nerf.precision import settled_precision
from dgrasp.nerf.rendering import Draw, Rendering, render_rays, uniform
from dgrasp.nerf.validation import validate
from dgrasp.nerf.weights import load_weights
from dgrasp.runs import Run, RunError, open_run
from dgrasp.streams import torch_generator

SLOW = 0.1  # not in the paper: rate of what starts from ImageNet over that of the rest of the encoder


class ViewSynthesis(nn.Module):
    """Phi with the loss of novel view synthesis: squared error of coarse and of fine colours, added.

    In bfloat16 the encoder is, like the blocks, but for training alone: its maps are worked out once afterwards.
    """

    def __init__(self, phi: MVNeRF, worker: Worker | None = None) -> None:
        super().__init__()
        self.phi = phi
        self.worker = worker or Worker(next(phi.parameters()).device)

    def forward(self, batch: RayBatch, draw: Draw) -> tuple[Tensor, Tensor]:
        """The loss, and the fine network's part of it. draw: uniform numbers for the batch's scenes."""
        with self.worker.autocast():
            enc = self.phi.encode(batch.images, batch.K, batch.Ts_world_cam)
        enc = enc.to(batch.images.dtype)
        coarse, fine = render_rays(self.phi, enc, batch.origins, batch.directions, draw)
        coarse_loss, fine_loss = (F.mse_loss(self._seen(r, draw), batch.rgb) for r in (coarse, fine))
        return coarse_loss + fine_loss, fine_loss

    def _seen(self, rendering: Rendering, draw: Draw) -> Tensor:
        """Colours of rays before the training's background."""
        if self.phi.config.training.background == "black":
            return rendering.rgb
        background = draw(tuple(rendering.rgb.shape)).to(rendering.rgb)
        return rendering.rgb + (1 - rendering.weights.sum(-1, keepdim=True)) * background


def check_weights(config: NerfConfig) -> None:
    """Raise FileNotFoundError or MissingWeightsError where the encoder is to start from weights that are not there."""
    if isinstance(config.encoder, VisionEncoderConfig):
        check_imagenet(config.encoder)
    if isinstance(config.encoder, ImagenetEncoderConfig):
        check_installed()


def pretrain(
    config: NerfConfig,
    demonstrations: Run,
    root: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    devices: int = 1,
    threads: int | None = None,
) -> Run:
    """Train Phi on the demonstrations' training scenes and validate it on held-out ones.

    Resumes from the last checkpoint and repeats the steps after it exactly (on equal devices and threads).
    Writes `weights.safetensors`; metrics are the loss and the PSNR of the fine network on training rays.
    devices: how many of the kind `device` share each step. Raises DeviceError if they are not there, or if the scenes
    of a step cannot be shared out evenly; FileNotFoundError or MissingWeightsError where the encoder is to start from
    weights that are not there.
    """
    run = open_run(root, "nerf", config, inputs={"demonstrations": demonstrations}, seed=seed, code=(__name__,))
    if run.complete:
        return run
    check_weights(config)
    check_device(device, devices)
    check_shares("nerf.training.scenes_per_step", config.training.scenes_per_step, devices)
    precision = settled_precision(config.precision, device)
    bf16 = precision == "bf16"
    with run.writing():
        if not run.complete:
            run_on(_work, run, demonstrations, precision, device=device, devices=devices, bf16=bf16, threads=threads)
    return run


def _work(worker: Worker, run: Run, demonstrations: Run, precision: str) -> None:
    """All of one process's work on the run."""
    config = run.recipe
    assert isinstance(config, NerfConfig)
    phi = build_nerf(config, run.seed).to(worker.device).with_precision(precision)
    keep = config.training.scenes_in_memory
    train(run, phi, DemonstrationSet(demonstrations, split="train", keep=keep), worker)
    quality = validate(phi, DemonstrationSet(demonstrations, split="validation", keep=keep), run.seed, worker)
    if not worker.leads:
        return
    run.save("weights", phi.state_dict())
    dtype = str(phi.compute_dtype or torch.float32)
    started = {"imagenet": check_imagenet(config.encoder)} if isinstance(config.encoder, VisionEncoderConfig) else {}
    run.finish(steps=config.training.steps, precision=dtype, **started, **worker.description, **quality)
    discard(run)


def train(run: Run, phi: MVNeRF, scenes: Sequence[HasViews], worker: Worker | None = None) -> None:
    """Optimize `phi` in place, from the run's last checkpoint if it has one.

    Raises ValueError, at the next step that is logged, for a loss that is no number.
    """
    worker = worker or Worker(next(phi.parameters()).device)
    config = phi.config.training
    model, optimizer = ViewSynthesis(phi, worker), build_optimizer(phi)
    first = restore(run, phi, optimizer, worker)
    for step in _progress(first, config.steps, worker):
        set_learning_rates(optimizer, config, step)
        batch = draw_batch(scenes, config, run.seed, step)
        small = step < config.half_size_share * config.steps
        losses = gradient(model, halved(batch) if small else batch, run.seed, step)
        nn.utils.clip_grad_value_(phi.parameters(), config.gradient_clip)
        optimizer.step()
        done = step + 1
        last = done == config.steps
        if last or done % config.log_every == 0:
            total = worker.add_numbers(losses)
            _check_loss(total["loss"], done, optimizer)
            if worker.leads:
                run.log(done, loss=total["loss"], psnr_rays=-10 * math.log10(total["fine"]))
        if worker.leads and (last or done % config.checkpoint_every == 0):
            save(run, phi, optimizer, done)


def _check_loss(loss: float, done: int, optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError for a loss that is no number: no further step would mend it."""
    if not math.isfinite(loss):
        rate = max(group["lr"] for group in optimizer.param_groups)
        raise ValueError(
            f"nerf.training: loss: {loss} after step {done}, at a learning rate of {rate:g}; expected a finite number: "
            "lower nerf.training.learning_rate, or lengthen warmup_steps"
        )


def _progress(first: int, steps: int, worker: Worker) -> Iterable[int]:
    shown = {"initial": first, "total": steps, "mininterval": 5, "file": sys.stderr, "disable": not worker.leads}
    return tqdm(range(first, steps), "Phi", **shown)


def gradient(model: ViewSynthesis, batch: RayBatch, seed: int, step: int) -> dict[str, Tensor]:
    """Set Phi's gradient of the whole batch's loss; returns this process's share of the loss.

    The batch is a step's whole one; of its scenes this process renders its own.
    """
    worker, scenes = model.worker, len(batch.images)
    mine = worker.rows(scenes)
    whole = uniform(torch_generator(seed, "nerf", "jitter", step))

    def draw(shape: tuple[int, ...]) -> Tensor:
        return whole((scenes, *shape[1:]))[mine]  # for all scenes, whoever renders them

    loss, fine = (part / worker.count for part in model(batch.part(mine).to(worker.device), draw))
    model.zero_grad()
    loss.backward()
    worker.add_gradients(model.parameters())
    return {"loss": loss.detach(), "fine": fine.detach()}


def build_optimizer(phi: MVNeRF) -> torch.optim.Adam:
    """Adam with one learning rate for the radiance fields (their read-outs included) and one for the encoder."""
    config = phi.config.training
    fields = [*phi.coarse.parameters(), *phi.fine.parameters()]
    slow = phi.encoder.slow_parameters() if isinstance(phi.encoder, ImagenetEncoder) else []
    known = {id(p) for p in slow}
    fast = [p for p in phi.encoder.parameters() if id(p) not in known]
    rates = [(fields, config.learning_rate), (fast, config.encoder_learning_rate)]
    rates += [(slow, SLOW * config.encoder_learning_rate)] if slow else []
    return torch.optim.Adam([{"params": params, "lr": rate, "base": rate} for params, rate in rates], fused=True)


def set_learning_rates(optimizer: torch.optim.Optimizer, config: PretrainConfig, step: int) -> None:
    """Linear warm-up, then the configured decay."""
    factor = learning_rate_factor(config, step)
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * factor


def learning_rate_factor(config: PretrainConfig, step: int) -> float:
    """Learning rate of a step over its full value."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.decay == "step":
        return config.decay_factor if step >= config.decay_at * config.steps else 1.0
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.decay_factor + (1 - config.decay_factor) * 0.5 * (1 + math.cos(math.pi * progress))


def load_nerf(run: Run, device: str = "cpu") -> MVNeRF:
    """The trained Phi of a complete run, frozen: encoder and radiance fields as the pre-training left them.

    Raises RunError for a run of another stage, DeviceError for a device that is not there, DamagedFileError for weights
    that are not this model's.
    """
    check_device(device)
    if not isinstance(run.recipe, NerfConfig):
        raise RunError(f"{run.path}: expected a run of stage 'nerf', got one of stage {run.stage!r}")
    run.check()
    phi = MVNeRF(run.recipe)
    load_weights(phi, run.load("weights", device), run.path / "weights.safetensors")
    return phi.to(device).requires_grad_(False).with_precision(run.recipe.precision_in_use)
