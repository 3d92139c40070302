"""bfloat16 against the float32 reference."""

import pytest
import synthetic
import torch
from nerf_helpers import calibrated, random_queries, tiny_config

from dgrasp.devices import Worker
from dgrasp.nerf import precision
from dgrasp.nerf.batches import draw_batch
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.precision import in_precision, resolve_precision, settled_precision
from dgrasp.nerf.pretrain import ViewSynthesis, gradient


def test_bfloat16_agrees_with_float32():
    config = NerfConfig.model_validate({"encoder": {"kind": "convolution", "channels": 16, "width": 8}})
    phi = build_nerf(config).requires_grad_(False)
    K, Ts = calibrated(2, 2, dtype=torch.float32)
    images = torch.rand(2, 2, 3, 18, 24, generator=torch.Generator().manual_seed(0))
    enc = phi.project(phi.encode(images, K, Ts))
    points, directions = random_queries(2, 200, dtype=torch.float32)
    points.requires_grad_()

    def evaluate(name):
        activations = phi.with_precision(name).activations(enc, points, directions)
        (slope,) = torch.autograd.grad(activations.float().square().sum(), points)
        return activations.detach(), slope

    (reference, slope), (rounded, rounded_slope) = evaluate("fp32"), evaluate("bf16")
    assert rounded.dtype == torch.bfloat16 and reference.dtype == torch.float32
    assert 0 < (rounded - reference).norm() < 0.01 * reference.norm()  # bfloat16 keeps 8 bits: 0.4 % per rounding
    cosine = torch.nn.functional.cosine_similarity(slope, rounded_slope, dim=-1)
    assert cosine.median() > 0.999


def test_gradients_of_training_agree_with_float32():
    """Whole steps: encoder under autocast, rendering, both losses. Seeds 0 to 4: errors up to 0.5 % and 1.7 %."""
    config = tiny_config(scenes_per_step=4, rays_per_scene=64)
    config = config.model_copy(update={"field": config.field.model_copy(update={"hidden": 32})})
    batch = draw_batch([synthetic.scene(i) for i in range(4)], config.training, 0, 0)

    def gradients(name):
        phi = build_nerf(config).with_precision(name)
        gradient(ViewSynthesis(phi, Worker(torch.device("cpu"), bf16=name == "bf16")), batch, 0, 0)
        parts = ([*phi.coarse.parameters(), *phi.fine.parameters()], phi.encoder.parameters())
        return [torch.cat([p.grad.flatten() for p in part]) for part in parts]

    for reference, rounded, tolerance in zip(gradients("fp32"), gradients("bf16"), (0.01, 0.03), strict=True):
        assert 1e-4 * reference.norm() < (rounded - reference).norm() < tolerance * reference.norm()
        assert torch.nn.functional.cosine_similarity(reference, rounded, dim=0) > 0.999


def test_precisions_by_name():
    assert resolve_precision("fp32", "cpu") is None
    assert resolve_precision("bf16", "cpu") is torch.bfloat16
    assert resolve_precision("auto", "cpu") in (None, torch.bfloat16)
    for refuse in (lambda: resolve_precision("fp8", "cpu"), lambda: build_nerf(tiny_config()).with_precision("fp8")):
        with pytest.raises(ValueError, match="precisions: fp32, bf16, auto"):
            refuse()


def test_auto_is_decided_by_the_device_that_computes(monkeypatch):
    """The time of the CPU says nothing of a GPU (here torch's device without memory stands for one)."""
    monkeypatch.setattr(precision, "bfloat16_gain", {"cpu": 0.5, "meta": 2.0}.__getitem__)
    phi = build_nerf(tiny_config()).with_precision("auto")
    assert phi.compute_dtype is None and settled_precision("auto", "cpu") == "fp32"
    assert phi.to("meta").compute_dtype is torch.bfloat16 and settled_precision("auto", "meta:0") == "bf16"


def test_a_precision_for_a_while():
    phi = build_nerf(tiny_config()).with_precision("bf16")
    with pytest.raises(KeyError), in_precision(phi, "fp32"):
        assert phi.compute_dtype is None
        raise KeyError
    assert phi.compute_dtype is torch.bfloat16


def test_a_frozen_encoder_computes_in_the_precision_it_was_trained_in():
    """Its maps are float32 again, and float32's up to bfloat16's rounding."""
    K, Ts = calibrated(1, 2, dtype=torch.float32)
    images = torch.rand(1, 2, 3, 18, 24, generator=torch.Generator().manual_seed(0))
    maps = {}
    for name in ("fp32", "bf16"):
        config = tiny_config().model_copy(update={"precision": name, "frozen_precision": "fp32"})
        phi = build_nerf(config, seed=0).requires_grad_(False).with_precision(config.precision_in_use)
        maps[name] = phi.encode(images, K, Ts).features
        assert maps[name].dtype == torch.float32 and phi.compute_dtype is None
    assert 1e-5 < (maps["bf16"] - maps["fp32"]).norm() / maps["fp32"].norm() < 0.02
