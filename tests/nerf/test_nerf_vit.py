"""The paper's encoder: its size, its output at any width, its ImageNet weights."""

import pytest
import torch

from dgrasp.files import save_tensors, sha256
from dgrasp.nerf.config import NerfConfig, VisionEncoderConfig
from dgrasp.nerf.imagenet import positions_on_grid
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


def weights_of(config: dict, **changed: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Made-up ImageNet weights under timm's names, with a classifier; None takes a parameter away."""
    source = VisionTransformer(VisionEncoderConfig.model_validate(config))
    with torch.no_grad():
        for p in source.parameters():
            p.normal_(generator=torch.Generator().manual_seed(0))
    found = source.state_dict() | {"head.weight": torch.zeros(3, 12), "norm.weight": torch.ones(12)} | changed
    return {k: v for k, v in found.items() if v is not None}


def built(**settings):
    return build_nerf(NerfConfig.model_validate({"encoder": TINY | settings, "field": {"hidden": 8}}))


@pytest.mark.parametrize("kind", ["safetensors", "pth", "checkpoint.pth"])
def test_the_vit_starts_from_a_file(tmp_path, kind):
    given, path = weights_of(TINY), tmp_path / f"vit.{kind}"
    if kind == "safetensors":
        save_tensors(path, given)
    else:
        torch.save({"model": given} if kind.startswith("checkpoint") else given, path)
    found = built(weights=path).encoder.transformer.state_dict()
    assert all(torch.equal(v, given[k]) for k, v in found.items())
    assert not torch.equal(built().encoder.transformer.state_dict()["pos_embed"], given["pos_embed"])


def test_a_file_that_is_not_there_is_said_and_never_passed_over(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nerf.encoder.weights: .*absent.pth: no such file. Put the ImageNet"):
        built(weights=tmp_path / "absent.pth")


def test_another_file_than_the_one_named_is_refused(tmp_path):
    path = tmp_path / "vit.safetensors"
    save_tensors(path, weights_of(TINY))
    built(weights=path, weights_sha256=sha256(path))
    with pytest.raises(ValueError, match=f"SHA-256 is {sha256(path)}, expected 000"):
        built(weights=path, weights_sha256="0" * 64)


@pytest.mark.parametrize(
    "changed", [{"cls_token": None}, {"more": torch.zeros(1)}, {"blocks.0.norm1.weight": torch.ones(3)}]
)
def test_weights_of_another_model_are_named(tmp_path, changed):
    path = tmp_path / "vit.safetensors"
    save_tensors(path, weights_of(TINY, **changed))
    with pytest.raises(ValueError, match=rf"missing, unknown or of another shape: \['{next(iter(changed))}'\]"):
        built(weights=path)


def test_a_file_with_more_than_tensors_is_refused(tmp_path):
    path = tmp_path / "vit.pth"
    torch.save({"cls_token": print}, path)
    with pytest.raises(ValueError, match="nor a pickle of tensors alone"):
        built(weights=path)


def test_positions_are_interpolated_to_another_grid(tmp_path):
    """A ramp over the patches of a larger image is the same ramp over fewer patches; the class token's stays."""
    ramp = (torch.arange(8) + 0.5) / 8
    grid = ramp[:, None].expand(8, 8).reshape(1, 64, 1).expand(1, 64, 12)
    given = torch.cat([torch.full((1, 1, 12), 7.0), grid], dim=1)
    path = tmp_path / "vit.safetensors"
    save_tensors(path, weights_of(TINY, pos_embed=given.clone()))
    found = built(weights=path).encoder.transformer.pos_embed
    assert found.shape == (1, 17, 12) and bool((found[:, 0] == 7).all())
    inner = found[0, 1:, 0].view(4, 4)[1:3, 0]
    torch.testing.assert_close(inner, torch.tensor([0.375, 0.625]), atol=0.01, rtol=0)
    with pytest.raises(ValueError, match="pos_embed: 3 positions are no square grid"):
        positions_on_grid(torch.zeros(1, 4, 2), 2)
