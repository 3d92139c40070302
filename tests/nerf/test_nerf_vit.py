"""The paper's encoder: its size, its output at any width, its ImageNet weights."""

import pytest
import torch

from dgrasp.files import save_tensors
from dgrasp.nerf.config import NerfConfig, VisionEncoderConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.vit import VisionEncoder, VisionTransformer

TINY = {
    "kind": "vision",
    "channels": 8,
    "image_size": 32,
    "patch": 8,
    "dim": 12,
    "depth": 4,
    "heads": 3,
    "reassemble": (2, 3, 4, 5),
    "fusion": 6,
    "stem": 4,
}


def test_vit_b_16_has_its_parameter_count():
    with torch.device("meta"):
        encoder = VisionEncoder(VisionEncoderConfig())
    count = sum(p.numel() for p in encoder.transformer.parameters())
    assert count == 85_798_656 - 2 * 768  # ViT-B/16 without its head, and without the last norm that no map passes
    assert encoder.channels == 256
    assert [layer.out_channels for layer in encoder.reassembly.reduce] == [48, 96, 192, 384]
    assert encoder.transformer.read_after == [3, 6, 9, 12]
    assert encoder.reassembly.size == 112


def test_map_at_half_resolution_of_any_image():
    phi = build_nerf(NerfConfig.model_validate({"encoder": TINY, "field": {"hidden": 8}}))
    images = torch.rand(2, 3, 26, 34)
    features = phi.encoder(images)
    assert features.shape == (2, 8, 13, 17)
    torch.testing.assert_close(phi.encoder(images[1:]), features[1:])  # images do not mix
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in phi.encoder.parameters())


def test_imagenet_weights_from_a_file(tmp_path):
    config = VisionEncoderConfig.model_validate(TINY)
    source = VisionTransformer(config)
    with torch.no_grad():
        source.pos_embed.fill_(0.5)
    path = tmp_path / "vit.safetensors"
    save_tensors(path, source.state_dict() | {"head.weight": torch.zeros(3, 12)})
    phi = build_nerf(NerfConfig.model_validate({"encoder": TINY | {"weights": path}}))
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in phi.encoder.transformer.state_dict().items())
    save_tensors(path, {k: v for k, v in source.state_dict().items() if k != "cls_token"})
    with pytest.raises(ValueError, match=r"missing, unknown or of another shape: \['cls_token'\]"):
        build_nerf(NerfConfig.model_validate({"encoder": TINY | {"weights": path}}))
