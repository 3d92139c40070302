"""Pre-training on analytic scenes: it learns, it is addressed by step, it survives kill -9 bit for bit."""

import importlib
import math
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import started
import synthetic
import torch
from nerf_helpers import tiny_config
from scipy.ndimage import binary_dilation

from dgrasp.cameras import project
from dgrasp.config import Config
from dgrasp.devices import Worker
from dgrasp.experiment import model_card
from dgrasp.nerf.batches import draw_batch, halved, local_contrast
from dgrasp.nerf.config import PretrainConfig
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.nerf.object_masks import object_mask, pixels_of_objects
from dgrasp.nerf.pretrain import build_optimizer, learning_rate_factor, load_nerf, pretrain, train
from dgrasp.nerf.rendering import uniform
from dgrasp.nerf.validation import novel_views
from dgrasp.runs import RunError, open_run

# The module; the package's attribute of this name is the function.
pretraining = importlib.import_module("dgrasp.nerf.pretrain")

TRAINING = {"scenes_per_step": 2, "rays_per_scene": 32, "warmup_steps": 2, "decay": "cosine", "log_every": 5}
TRAINING |= {"learning_rate": 2e-3, "encoder_learning_rate": 2e-3, "checkpoint_every": 4, "validation_views": 2}


def scenes(count=6):
    return [synthetic.scene(i) for i in range(count)]


@pytest.fixture
def demonstrations(tmp_path, monkeypatch):
    """A complete run that stands for demonstrations; their set is the analytic scenes."""
    splits = {"train": scenes(6), "validation": scenes(8)[6:]}
    monkeypatch.setattr(pretraining, "DemonstrationSet", lambda run, split, keep: splits[split])
    return open_run(tmp_path, "demonstrations", Config()).finish()


def test_pretraining_learns_and_is_found_again(demonstrations, tmp_path):
    run = pretrain(tiny_config(steps=120, **TRAINING), demonstrations, tmp_path, seed=1)
    rows = run.metrics()
    assert rows[-1]["step"] == 120 and rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    assert {"psnr", "psnr_objects", "ssim"} <= run.summary.keys() and run.summary["psnr"] > 10
    assert not run.has("checkpoint")
    phi = load_nerf(run)
    assert phi.compute_dtype is None
    assert all(not p.requires_grad for p in phi.parameters())
    start = build_nerf(run.recipe, seed=1).state_dict()
    changed = {k.split(".")[0] for k, v in phi.state_dict().items() if not torch.equal(v, start[k])}
    assert changed == {"encoder", "coarse", "fine"}
    assert not torch.equal(phi.fine.readout.weight, start["fine.readout.weight"])  # the read-outs train too
    stamp = (run.path / "weights.safetensors").stat().st_mtime_ns
    again = pretrain(tiny_config(steps=120, **TRAINING), demonstrations, tmp_path, seed=1)
    assert (again.path / "weights.safetensors").stat().st_mtime_ns == stamp


def test_where_nothing_is_held_out_nothing_is_validated(demonstrations, tmp_path, monkeypatch):
    """Which is known once all has been trained, and no reason to lose that."""
    monkeypatch.setattr(pretraining, "DemonstrationSet", lambda run, split, keep: scenes() if split == "train" else [])
    run = pretrain(tiny_config(steps=1, **TRAINING), demonstrations, tmp_path)
    assert run.complete and "psnr" not in run.summary
    assert set(model_card._numbers(run)["value"]) == {"not measured (nothing held out)"}
    assert set(model_card._validation({"base": run}).iloc[0]) == {"base", "not measured (nothing held out)"}


def test_a_loss_that_is_no_number_ends_the_training(tmp_path, monkeypatch):
    """At the next step that is logged, and with the learning rate at which it came about."""
    config = tiny_config(steps=6, **TRAINING | {"log_every": 2, "learning_rate": 0.25})
    true = pretraining.gradient

    def gradient(model, batch, seed, step):
        losses = true(model, batch, seed, step)
        return losses if step < 2 else {name: loss * math.nan for name, loss in losses.items()}

    monkeypatch.setattr(pretraining, "gradient", gradient)
    run = open_run(tmp_path, "nerf", config, seed=0)
    with run.writing(), pytest.raises(ValueError, match=r"loss: nan after step 4, at a learning rate of 0\.\d+"):
        train(run, build_nerf(config, 0), scenes())
    assert [row["step"] for row in run.metrics()] == [2]


def test_half_a_batchs_images():
    """A point in the world is seen at the same place of the small image, and pixels are means of four."""
    batch = draw_batch(scenes(3), PretrainConfig(**TRAINING), seed=0, step=0)
    small = halved(batch)
    assert small.images.shape[-2:] == (6, 8) and torch.equal(small.rgb, batch.rgb)
    p = torch.tensor([[0.2, 0.05, 0.98], [0.15, -0.1, 0.96]])
    (large_uv, _), (small_uv, _) = (project(b.K[0, 0], b.Ts_world_cam[0, 0], p) for b in (batch, small))
    torch.testing.assert_close(small_uv, (large_uv + 0.5) / 2 - 0.5)
    torch.testing.assert_close(small.images[..., 1, 2], batch.images[..., 2:4, 4:6].mean((-2, -1)))


def test_the_first_steps_see_small_images(tmp_path, monkeypatch):
    seen = []
    gradient = pretraining.gradient
    monkeypatch.setattr(
        pretraining, "gradient", lambda m, b, *rest: seen.append(b.images.shape[-1]) or gradient(m, b, *rest)
    )
    config = tiny_config(steps=5, half_size_share=0.6, **TRAINING)
    run = open_run(tmp_path, "nerf", config)
    with run.writing():
        train(run, build_nerf(config), scenes())
    assert seen == [8, 8, 8, 16, 16]


def test_processes_share_the_validation():
    """Every view is rendered by one of them."""
    phi, held_out = build_nerf(tiny_config()), scenes(5)
    shares = [
        [v.scene for v in novel_views(phi, held_out, 5, 2, 0, Worker(torch.device("cpu"), rank=rank, count=2))]
        for rank in (0, 1)
    ]
    assert shares == [[0, 2, 4], [1, 3]]


PROGRAM = """
import sys
from pathlib import Path
from test_nerf_pretrain import train_until_killed
train_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
"""


def test_killed_run_resumes_to_the_same_bytes(tmp_path):
    for killed_at in (0, 7):
        root = tmp_path / str(killed_at)
        if killed_at:
            assert started.run(PROGRAM, root, killed_at)[0] == -signal.SIGKILL
        assert started.run(PROGRAM, root, 0)[0] == 0
    undisturbed, resumed = (next((tmp_path / str(k)).rglob("checkpoint.safetensors")) for k in (0, 7))
    assert undisturbed.read_bytes() == resumed.read_bytes()
    logs = [path.with_name("metrics.jsonl").read_bytes() for path in (undisturbed, resumed)]
    assert logs[0] == logs[1] and logs[0].count(b"\n") == 2


def train_until_killed(root: Path, killed_at: int) -> None:
    """What the process does: train for ten steps, and die without warning at one of them (0: at none)."""
    draw = pretraining.draw_batch

    def draw_or_die(*arguments):
        if killed_at and arguments[-1] == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(*arguments)

    pretraining.draw_batch = draw_or_die
    config = tiny_config(steps=10, **TRAINING)
    train(open_run(root, "nerf", config), build_nerf(config), scenes(4))


def same_weights(phi: MVNeRF, other: MVNeRF) -> bool:
    return all(torch.equal(a, b) for a, b in zip(phi.state_dict().values(), other.state_dict().values(), strict=True))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flipped(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[-100] ^= 1
    path.write_bytes(contents)


def without_metrics(path: Path) -> None:
    path.with_name("metrics.jsonl").write_text("")


def other_metadata(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"step":"4"', b'"step":"3"'))


def broken_metadata(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"step":"4"', b'"step":"?"'))


@pytest.mark.parametrize("damage", [cut, flipped, without_metrics, other_metadata, broken_metadata])
def test_a_damaged_checkpoint_is_told_of_and_training_begins_anew(tmp_path, capsys, damage):
    config = tiny_config(steps=4, **TRAINING)
    run, phi = open_run(tmp_path, "nerf", config), build_nerf(config)
    train(run, phi, scenes(3))
    damage(run.path / "checkpoint.safetensors")
    again = build_nerf(config)
    train(run, again, scenes(3))
    said = capsys.readouterr().err
    assert str(run.path / "checkpoint.safetensors") in said and "training begins anew" in said
    assert same_weights(phi, again)
    assert [row["step"] for row in run.metrics()] == sorted({row["step"] for row in run.metrics()})


def test_another_run_s_checkpoint_is_not_gone_on_from(tmp_path, capsys):
    """Of another seed, and so of another start: equal shapes would fit."""
    config = tiny_config(steps=4, **TRAINING)
    run, other = (open_run(tmp_path, "nerf", config, seed=seed) for seed in (0, 1))
    train(other, build_nerf(config, 1), scenes(3))
    shutil.copy(other.path / "checkpoint.safetensors", run.path)
    shutil.copy(other.path / "metrics.jsonl", run.path)
    phi, expected = build_nerf(config), build_nerf(config)
    train(run, phi, scenes(3))
    assert "training begins anew" in capsys.readouterr().err
    train(open_run(tmp_path / "other", "nerf", config), expected, scenes(3))
    assert same_weights(phi, expected)


def test_a_batch_depends_on_its_step_alone():
    config = PretrainConfig(scenes_per_step=2, rays_per_scene=8, source_views=2)
    first, again, other = (draw_batch(scenes(3), config, 0, step) for step in (5, 5, 6))
    assert torch.equal(first.rgb, again.rgb) and torch.equal(first.images, again.images)
    assert not torch.equal(first.rgb, other.rgb)
    assert {draw_batch(scenes(3), config, 0, s).images.shape[1] for s in range(20)} == {1, 2}


def test_rays_see_the_colours_of_their_pixels():
    """Follow each ray to the floor or the ball of the analytic scene: its colour must be the target's."""
    batch = draw_batch(scenes(1), PretrainConfig(scenes_per_step=1, rays_per_scene=200), 0, 0)
    origin, direction = batch.origins[0], batch.directions[0]
    down = origin + direction * ((synthetic.FLOOR - origin[:, 2:]) / direction[:, 2:])
    grey = (batch.rgb[0].amax(-1) - batch.rgb[0].amin(-1)) < 0.01
    expected = 0.35 + 0.1 * ((down[:, :2] * 10).floor().sum(-1) % 2)
    agree = (batch.rgb[0, :, 0] - expected).abs() < 0.01
    assert grey.sum() > 50 and agree[grey].float().mean() > 0.97


def test_too_few_views_are_refused():
    config = PretrainConfig(scenes_per_step=1, source_views=4)
    with pytest.raises(ValueError, match="4 sources and a target need 5 views of a scene, the demonstrations have 4"):
        draw_batch(scenes(1), config, 0, 0)


def test_contrast_finds_the_ball():
    scene = synthetic.scene(3, width=48, height=36)
    contrast = local_contrast(scene.views.images[0])
    mask = object_mask(scene.state.objects, scene.views.K[0], scene.views.Ts_world_cam[0], 36, 48)
    share = contrast[mask].sum() / contrast.sum()
    assert 0.01 < mask.mean() < 0.2 and share > 3 * mask.mean()
    coloured = np.ptp(scene.views.images[0].astype(int), axis=-1) > 10
    assert (coloured == mask).mean() > 0.97


def test_a_share_of_the_rays_goes_through_objects():
    """The analytic scene's ball is the one thing with colour; uniform rays meet it in a tenth of the cases."""
    shares = {"contrast_share": 0.25, "object_share": 0.5}
    plain, asked = (
        draw_batch(scenes(1), PretrainConfig(scenes_per_step=1, rays_per_scene=200, **more), 0, 0).rgb[0]
        for more in ({}, shares)
    )
    coloured = [(rgb.amax(-1) - rgb.amin(-1) > 0.04) for rgb in (plain, asked)]
    assert coloured[0].float().mean() < 0.3 and coloured[1][50:150].float().mean() > 0.6
    (scene,) = scenes(1)
    where = scene.views.K[0], scene.views.Ts_world_cam[0]
    height, width = scene.views.images.shape[1:3]
    at = np.rint(pixels_of_objects(scene.state.objects, *where, 500, np.random.default_rng(0))).astype(int)
    at = at[(at >= 0).all(axis=1) & (at < (width, height)).all(axis=1)]
    mask = binary_dilation(object_mask(scene.state.objects, *where, height, width))  # a pixel's middle may lie beside
    assert len(at) > 250 and mask[at[:, 1], at[:, 0]].all()
    assert len(np.unique(at, axis=0)) > 0.5 * mask.sum(), "all over the object"
    assert "object_share" not in PretrainConfig().canonical()
    with pytest.raises(ValueError, match=r"1 together at most, got 0\.75 and 0\.5"):
        PretrainConfig(contrast_share=0.75, object_share=0.5)
    unstated = [SimpleNamespace(views=scene.views, state=None) for scene in scenes(1)]
    with pytest.raises(ValueError, match="object_share: needs demonstrations with the simulator's state"):
        draw_batch(unstated, PretrainConfig(scenes_per_step=1, **shares), 0, 0)
    empty = [SimpleNamespace(views=scene.views, state=SimpleNamespace(objects=())) for scene in scenes(1)]
    assert draw_batch(empty, PretrainConfig(scenes_per_step=1, rays_per_scene=8, **shares), 0, 0).rgb.shape == (1, 8, 3)


def test_learning_rates_warm_up_and_decay():
    step = PretrainConfig(steps=100, warmup_steps=10, decay_at=0.9)
    assert [learning_rate_factor(step, s) for s in (0, 9, 10, 89, 90)] == [0.1, 1.0, 1.0, 1.0, 0.1]
    cosine = PretrainConfig(steps=110, warmup_steps=10, decay="cosine", decay_factor=0.2)
    assert learning_rate_factor(cosine, 60) == pytest.approx(0.6)
    groups = build_optimizer(build_nerf(tiny_config())).param_groups
    assert [group["base"] for group in groups] == [1e-4, 1e-5]


def test_random_background_rewards_opacity():
    """Where rays met nothing, colours drawn anew cannot be matched; the draw belongs to the step."""
    batch = draw_batch(scenes(2), tiny_config(**TRAINING).training, 0, 0)
    losses = {}
    for background in ("black", "random"):
        model = pretraining.ViewSynthesis(build_nerf(tiny_config(background=background, **TRAINING)))
        losses[background] = [model(batch, uniform(torch.Generator().manual_seed(s)))[0].item() for s in (1, 1, 2)]
    assert losses["random"][0] == losses["random"][1] != losses["random"][2]
    assert losses["black"][0] != losses["random"][0]


def test_loading_another_stage_is_refused(tmp_path):
    run = open_run(tmp_path, "demonstrations", Config()).finish()
    with pytest.raises(RunError, match="expected a run of stage 'nerf', got one of stage 'demonstrations'"):
        load_nerf(run)
