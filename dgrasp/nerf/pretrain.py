"""Pre-training of Phi by novel view synthesis on demonstrations' views (Soti et al. 2024, after VisionNeRF)."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from dgrasp.data import DemonstrationSet
from dgrasp.nerf.batches import HasViews, RayBatch, draw_batch
from dgrasp.nerf.checkpoint import CHECKPOINT, restore, save
from dgrasp.nerf.config import NerfConfig, PretrainConfig
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.nerf.rendering import Rendering, render_rays
from dgrasp.nerf.validation import validate
from dgrasp.runs import Run, RunError, open_run
from dgrasp.streams import torch_generator

CODE = ("dgrasp.nerf", "dgrasp.cameras", "dgrasp.poses", "dgrasp.streams")


class ViewSynthesis(nn.Module):
    """Phi with the loss of novel view synthesis: squared error of coarse and of fine colours, added."""

    def __init__(self, phi: MVNeRF) -> None:
        super().__init__()
        self.phi = phi

    def forward(self, batch: RayBatch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The loss, and the fine network's part of it."""
        enc = self.phi.encode(batch.images, batch.K, batch.Ts_world_cam)
        coarse, fine = render_rays(self.phi, enc, batch.origins, batch.directions, generator)
        coarse_loss, fine_loss = (F.mse_loss(self._seen(r, generator), batch.rgb) for r in (coarse, fine))
        return coarse_loss + fine_loss, fine_loss

    def _seen(self, rendering: Rendering, generator: torch.Generator) -> Tensor:
        """Colours of rays before the training's background."""
        if self.phi.config.training.background == "black":
            return rendering.rgb
        background = torch.rand(rendering.rgb.shape, generator=generator).to(rendering.rgb)
        return rendering.rgb + (1 - rendering.weights.sum(-1, keepdim=True)) * background


def pretrain(
    config: NerfConfig,
    demonstrations: Run,
    root: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
) -> Run:
    """Train Phi on the demonstrations' training scenes and validate it on held-out ones.

    Resumes from the last checkpoint and repeats the steps after it exactly (at an equal number of threads).
    Writes `weights.safetensors`; metrics are the loss and the PSNR of the fine network on training rays.
    """
    run = open_run(root, "nerf", config, inputs={"demonstrations": demonstrations}, seed=seed, code=CODE)
    if run.complete:
        return run
    if threads is not None:
        torch.set_num_threads(threads)
    phi = build_nerf(config, seed).to(device)
    keep = config.training.scenes_in_memory
    train(run, phi, DemonstrationSet(demonstrations, split="train", keep=keep), device)
    run.save("weights", phi.state_dict())
    quality = validate(phi, DemonstrationSet(demonstrations, split="validation", keep=keep), seed)
    (run.path / f"{CHECKPOINT}.safetensors").unlink(missing_ok=True)
    return run.finish(steps=config.training.steps, precision=str(phi.compute_dtype or torch.float32), **quality)


def train(run: Run, phi: MVNeRF, scenes: Sequence[HasViews], device: str = "cpu") -> None:
    """Optimize `phi` in place, from the run's last checkpoint if it has one."""
    config = phi.config.training
    model, optimizer = ViewSynthesis(phi), build_optimizer(phi)
    first = restore(run, phi, optimizer, device)
    steps = tqdm(range(first, config.steps), "Phi", initial=first, total=config.steps, mininterval=5, file=sys.stderr)
    for step in steps:
        set_learning_rates(optimizer, config, step)
        batch = draw_batch(scenes, config, run.seed, step).to(device)
        loss, fine_loss = model(batch, torch_generator(run.seed, "nerf", "jitter", step))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(phi.parameters(), config.gradient_clip)
        optimizer.step()
        done = step + 1
        if done % config.log_every == 0 or done == config.steps:
            run.log(done, loss=loss.item(), psnr_rays=-10 * math.log10(fine_loss.item()))
        if done % config.checkpoint_every == 0 or done == config.steps:
            save(run, phi, optimizer, done)


def build_optimizer(phi: MVNeRF) -> torch.optim.Adam:
    """Adam with one learning rate for the radiance fields (their read-outs included) and one for the encoder."""
    config = phi.config.training
    fields = [*phi.coarse.parameters(), *phi.fine.parameters()]
    groups = [
        {"params": fields, "lr": config.learning_rate, "base": config.learning_rate},
        {"params": list(phi.encoder.parameters()), "lr": config.encoder_learning_rate},
    ]
    groups[1]["base"] = config.encoder_learning_rate
    return torch.optim.Adam(groups, fused=True)


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
    """The trained Phi of a complete run, frozen: encoder and radiance fields as the pre-training left them."""
    if not isinstance(run.config, NerfConfig):
        raise RunError(f"{run.path}: expected a run of stage 'nerf', got one of stage {run.stage!r}")
    phi = MVNeRF(run.config)
    phi.load_state_dict(run.load("weights", device))
    return phi.to(device).requires_grad_(False)
