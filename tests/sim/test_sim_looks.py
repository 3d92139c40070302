"""Looks of training: other surfaces and lights than the twin's, and nothing of them where they are off."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sim_scenes import box, scene_of

from dgrasp import streams
from dgrasp.cameras import Intrinsics
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.data.config import DataConfig
from dgrasp.data.generate import demonstrate_scene
from dgrasp.sim import looks, surfaces
from dgrasp.sim.cell import Cell
from dgrasp.sim.looks import Look, LooksConfig, observe_in
from dgrasp.sim.tasks import everyday_scene
from dgrasp.twin.reality import Reality, TwinConfig

SMALL = {"train_scenes": 1, "objects_per_scene": 1, "views": 5, "width": 32, "height": 24}


def look(number: int = 0, **settings: object) -> Look:
    return Look.draw(LooksConfig.model_validate(settings), streams.rng(0, "looks", number))


def test_what_is_held_out_is_the_twins() -> None:
    twin = TwinConfig()
    assert (twin.ambient, twin.diffuse) == (looks.TWINS_AMBIENT, looks.TWINS_DIFFUSE)
    assert twin.light_turn == looks.TWINS_TURN
    drawn = [Reality.draw(twin, 2, 0, "test", k) for k in range(20)]
    assert all(looks.held_out(r.light.ambient, r.light.diffuse, 0.0) for r in drawn)


def test_no_training_light_is_one_the_twin_can_draw_and_all_reach_farther() -> None:
    drawn = [look(k) for k in range(400)]
    turns = [looks.degrees_off(np.array(d.light_direction)) for d in drawn]
    shares = [(d.light.ambient, d.light.diffuse) for d in drawn]
    assert not any(looks.held_out(a, b, turn) for (a, b), turn in zip(shares, turns, strict=True))
    twin = TwinConfig()
    for column, (low, high) in zip(np.transpose(shares), (twin.ambient, twin.diffuse), strict=True):
        assert column.min() < low and column.max() > high
    assert max(turns) > twin.light_turn and max(d.light.specular for d in drawn) > twin.specular
    assert {d.light.shadow for d in drawn} == {False, True}


def test_settings_of_which_nearly_all_are_the_twins_are_refused() -> None:
    with pytest.raises(ValueError, match=r"none of 1000 lights .*ambient \(0.4, 0.65\), diffuse .*turn 25"):
        look(ambient=(0.4, 0.65), diffuse=(0.35, 0.6), light_turn=25.0001)


def test_no_training_surface_looks_like_one_of_the_twins() -> None:
    theirs = np.stack([everyday_scene._draw_surface(np.random.default_rng(n)) for n in range(everyday_scene.SURFACES)])
    ours = np.stack(
        [surfaces.draw_surface(streams.rng(surfaces.SEED, "looks", "surfaces", n)) for n in range(0, 240, 4)]
    )
    apart = np.abs(theirs[:, None].astype(np.int16) - ours[None]).mean(axis=(2, 3, 4))
    assert apart.min() > 6, "mean difference of two pictures, 8-bit counts"
    spread = [s.reshape(-1, 3).mean(0) for s in (theirs, ours)]
    assert np.ptp(spread[1]) > np.ptp(spread[0]) and len({s.tobytes() for s in ours}) == len(ours)


def test_a_surface_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a number from 0 to 239, got 240"):
        surfaces.surface_file(surfaces.SURFACES)
    assert Image.open(surfaces.surface_file(3)).size == (surfaces.SIZE, surfaces.SIZE)


def test_looks_change_pictures_alone_and_the_next_scene_is_as_ever(cell: Cell) -> None:
    cameras, intrinsics, shown = evaluation_viewpoints(2), Intrinsics.d415(32, 24), scene_of(box())
    cell.reset(shown)
    plain = cell.observe(cameras, intrinsics)
    seen = [observe_in(look(k), cell, cameras, intrinsics, streams.rng(1, k)) for k in range(2)]
    assert len({v.images.tobytes() for v in (plain, *seen)}) == 3
    assert all(np.array_equal(v.K, plain.K) and np.array_equal(v.Ts_world_cam, cameras) for v in seen)
    cell.reset(shown)
    assert np.array_equal(cell.observe(cameras, intrinsics).images, plain.images)


def test_demonstrations_without_looks_are_those_of_before_and_with_them_differ_in_pixels_alone(cell: Cell) -> None:
    assert "looks" not in DataConfig().model_dump() and "looks" not in DataConfig().canonical()
    plain, seen = (
        demonstrate_scene(cell, DataConfig.model_validate({**SMALL, **more}), "train", 0, 0)
        for more in ({}, {"looks": {}})
    )
    assert np.array_equal(plain.T_world_grasp, seen.T_world_grasp) and plain.record == seen.record
    assert np.array_equal(plain.Ts_world_cam, seen.Ts_world_cam) and plain.images.shape == seen.images.shape
    assert (plain.images != seen.images).mean() > 0.5
    cell.reset(looks_scene := scene_from_record(plain))
    assert np.array_equal(cell.observe(plain.Ts_world_cam[0], Intrinsics.d415(32, 24)).images, plain.images[0])
    assert len(looks_scene) == 1


def test_a_plain_share_of_the_observations_is_the_cell_as_ever(cell: Cell) -> None:
    assert "plain_share" not in LooksConfig().canonical()
    plain, every, some = (
        demonstrate_scene(cell, DataConfig.model_validate({**SMALL, "objects_per_scene": 5, **more}), "train", 0, 0)
        for more in ({}, {"looks": {"plain_share": 1.0}}, {"looks": {"plain_share": 0.5}})
    )
    assert np.array_equal(plain.images, every.images)
    same = [np.array_equal(a, b) for a, b in zip(plain.images, some.images, strict=True)]
    assert 0 < sum(same) < len(same) == 5 and plain.record == some.record
    with pytest.raises(ValueError, match="plain_share"):
        LooksConfig(plain_share=1.5)


def scene_from_record(record):  # type: ignore[no-untyped-def]
    from dgrasp.sim.scene import scene_from

    return scene_from(record.record["stages"][0]["scene"])


def test_the_lens_bends_the_corners_alone() -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[11:13, 15:17] = 200
    still = {"exposure_stops": 0, "white_balance": 0, "read_noise": 0, "shot_noise": 0, "blur": 0, "vignette": 0}
    bent = looks.photographed(image, look(distortion=0.05, **still), streams.rng(0, "noise"))
    assert np.array_equal(bent[11:13, 15:17], image[11:13, 15:17])
    straight = looks.photographed(image, look(distortion=0, **still), streams.rng(0, "noise"))
    assert np.array_equal(straight, image)


def test_ranges_in_which_every_light_is_the_twins_are_refused() -> None:
    with pytest.raises(ValueError, match="the twin can draw every one of these lights"):
        LooksConfig(ambient=(0.45, 0.6), diffuse=(0.4, 0.5), light_turn=20)
    with pytest.raises(ValueError, match="ambient: expected two shares in order"):
        LooksConfig(ambient=(0.6, 0.45))
