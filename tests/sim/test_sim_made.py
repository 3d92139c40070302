"""Procedural objects: always the same, unlike any test object, with grasps that physics lifts."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from dgrasp import streams
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.data.config import DataConfig
from dgrasp.data.generate import demonstrate_scene
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import families, made, ycb
from dgrasp.sim.objects.antipodal import WIDEST, Solid, antipodal_lines
from dgrasp.sim.objects.everyday import BLOCK, STAND_INS
from dgrasp.sim.objects.shapes import Made, Prism, shape_from
from dgrasp.sim.oracle import clear_of_its_own, hand_is_clear, oracle_grasps
from dgrasp.sim.scene import Scene, SceneObject, scene_from
from dgrasp.sim.tasks.paper import task

TASK = "dgrasp.sim.tasks.procedural:Procedural"


def at(shape: Made, z: float, name: str = "made 1") -> SceneObject:
    T = np.eye(4)
    T[:3, 3] = 0.2, 0.0, BOARD_TOP + z
    return SceneObject(name, shape, (0.5, 0.5, 0.5), 0.1, 0.6, T)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_each_family_draws_convex_parts_of_a_size_for_the_board(family: str) -> None:
    for k in range(6):
        parts = families.draw_parts(family, streams.rng(5, family, k))
        points = np.concatenate([p.hull.vertices for p in parts])
        assert all(p.hull.is_volume and p.hull.is_convex for p in parts)
        assert np.ptp(points, axis=0).min() > 0.004 and np.ptp(points, axis=0).max() < 0.26
        assert not families.is_held_out(parts)


def test_sizes_held_out_are_those_of_all_test_objects() -> None:
    found = [np.sort(trimesh.util.concatenate(s.parts()).extents) for s in STAND_INS.values()] + [
        np.sort(BLOCK.extents)
    ]
    names = [*ycb.ALL][::4]
    listed = families.HELD_OUT[: len(ycb.ALL)][::4]
    found += [np.sort(trimesh.load_mesh(ycb.mesh_path(name)).extents) for name in names]
    assert np.allclose(found, [*families.HELD_OUT[len(ycb.ALL) :], *listed], atol=0.0006)
    double = trimesh.creation.box(extents=families.HELD_OUT[3][[2, 0, 1]] + 0.003)
    assert families.is_held_out([families.Part(double)])


def test_families_and_numbers_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown family 'mug'; families: joined bars, "):
        families.draw_parts("mug", streams.rng(0))
    with pytest.raises(ValueError, match="from 0 to 999, got 1000"):
        Made(1000).kind  # noqa: B018


def test_lines_of_a_box_join_its_faces() -> None:
    box = trimesh.creation.box(extents=(0.04, 0.06, 0.2))
    lines = antipodal_lines([box], streams.rng(0))
    widths = {round(line.width, 6) for line in lines}
    assert widths == {0.04, 0.06} and max(widths) < WIDEST, "the third pair of faces is too far apart"
    for line in lines:
        tip = np.array(line.centre) + line.width / 2 * np.array(line.closing)
        assert np.isclose(np.abs(tip / [0.02, 0.03, 0.1]), 1).any()


def test_lines_keep_out_of_a_slot_that_is_too_narrow_for_a_finger() -> None:
    walls = [trimesh.creation.box(extents=(0.01, 0.05, 0.05)) for _ in range(2)]
    for wall, x in zip(walls, (-0.02, 0.02), strict=True):
        wall.apply_translation((x, 0, 0))
    across = [line for line in antipodal_lines(walls, streams.rng(0)) if abs(line.closing[0]) > 0.9]
    assert not across, "one finger would have to come down between the walls"
    assert Solid.of(walls).holds(np.array([[0.02, 0, 0], [0.0, 0, 0]])).tolist() == [True, False]


def test_an_object_is_the_same_whenever_it_is_asked_for() -> None:
    number = 13
    one = made.load_made(number)
    made.load_made.cache_clear()
    again = made.load_made(number)
    assert one is not again and np.array_equal(one.vertices, again.vertices) and one.lines == again.lines
    sizes = np.array(Made(number).extents)
    assert one.family == "handle with head" and (sizes > 0.01).all()
    assert shape_from(Made(number).describe()) == Made(number)


def test_the_hand_does_not_come_down_on_the_object_itself() -> None:
    ring = next(Made(n) for n in range(4, 200, 10) if Made(n).extents[0] > 0.11 and Made(n).extents[2] < 0.04)
    o = at(ring, 0.02)
    over_the_hole = np.diag([1.0, -1.0, -1.0, 1.0])
    over_the_hole[:3, 3] = 0.2 + ring.extents[0] / 2 - 0.07, 0.0, BOARD_TOP + 0.02
    assert not clear_of_its_own(over_the_hole, o)
    far = over_the_hole.copy()
    far[0, 3] += 0.3
    assert clear_of_its_own(far, o) and hand_is_clear(far, Scene((o,)))


def test_scenes_have_their_splits_own_objects_and_survive_files() -> None:
    scenes = {split: [task(TASK).scene(split, i) for i in range(2)] for split in ("train", "validation")}
    for split, drawn in scenes.items():
        numbers = [o.shape.number for s in drawn for o in s.objects if isinstance(o.shape, Made)]
        assert numbers and all((n < made.TRAINING) == (split == "train") for n in numbers)
        for s in drawn:
            again = scene_from(s.describe())
            assert again.digest() == s.digest() and np.array_equal(oracle_grasps(again), oracle_grasps(s))
            assert all(isinstance(o.shape, Made | Prism) for o in s.objects)
    assert scenes["train"][0].digest() == task(TASK).scene("train", 0).digest()


def test_annotated_grasps_lift_in_physics(cell: Cell) -> None:
    config = DataConfig(task=TASK, objects_per_scene=2, views=5, width=32, height=24, draws=1)
    made_scene = demonstrate_scene(cell, config, "train", 1, 0)
    outcomes = [attempt["outcome"] for attempt in made_scene.record["attempts"]]
    assert outcomes.count("success") == made_scene.demonstrations >= 1
    assert len(np.unique(made_scene.images[0].reshape(-1, 3), axis=0)) > 20


def test_half_of_the_mixed_scenes_are_upright_prisms() -> None:
    mixed = task("dgrasp.sim.tasks.procedural:Mixed")
    scenes = [mixed.scene("train", index, objects=2) for index in range(12)]
    upright = [
        all(isinstance(o.shape, Prism) and o.T_world_object[2, 2] == pytest.approx(1) for o in scene.objects)
        for scene in scenes
    ]
    assert 3 <= sum(upright) <= 9
    assert all(scene.task == "mixed" for scene in scenes)
    assert any(isinstance(o.shape, Made) for scene in scenes for o in scene.objects)
