"""Printed prisms: what they wear is drawn, recorded and repeated; plain ones stay as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dgrasp.cameras import Intrinsics
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects.prints import PRINTS, print_file, texture_coordinates
from dgrasp.sim.scene import scene_from
from dgrasp.sim.tasks.paper import task

PRINTED = "dgrasp.sim.tasks.crowded:Printed"


def test_half_of_the_prisms_are_printed():
    printed, plain = (
        [task(name).scene("train", i) for i in range(40)] for name in (PRINTED, "dgrasp.sim.tasks.crowded:Crowded")
    )
    prints = [o.printed for s in printed for o in s.objects]
    assert 0.35 < np.mean([p is not None for p in prints]) < 0.65
    assert len({p for p in prints if p is not None}) > PRINTS / 2
    assert all(o.printed is None for s in plain for o in s.objects)


def test_a_print_is_part_of_the_scenes_description():
    scene = task(PRINTED).scene("train", 1)
    assert [o.printed for o in scene_from(scene.describe()).objects] == [o.printed for o in scene.objects]
    plain = task("simple").scene("train", 1)
    assert all("printed" not in o.describe() for o in plain.objects)


def test_prints_show_in_pictures_and_repeat():
    plain = task("simple").scene("train", 0)
    dressed = plain.with_objects(replace(o, printed=3 + i) for i, o in enumerate(plain.objects))
    with Cell() as cell:

        def picture(scene):
            cell.reset(scene)
            return cell.observe(evaluation_viewpoints(2), Intrinsics.d415(128, 96)).images

        before, with_prints, again, after = (picture(s) for s in (plain, dressed, dressed, plain))
    np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(with_prints, again)
    changed = (before != with_prints).any(axis=-1)
    assert 0.01 < changed.mean() < 0.2  # the prisms, and nothing else
    assert len(np.unique(with_prints[changed], axis=0)) > 2 * len(np.unique(before[changed], axis=0))


def test_each_face_sees_the_print_from_before_it():
    vertices = np.array([[0.0, 0.0, 0.05], [0.065, 0.0, 0.05], [0.0, 0.0, 0.05], [0.0, 0.0, 0.0]])
    normals = np.array([[0, 0, 1.0], [0, 0, 1.0], [1.0, 0, 0], [1.0, 0.1, 0]])
    expected = [[0.5, 0.5], [1.0, 0.5], [0.5, 0.5 + 0.05 / 0.13], [0.5, 0.5]]
    np.testing.assert_allclose(texture_coordinates(vertices, normals), expected)


def test_a_print_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=f"expected a number from 0 to {PRINTS - 1}, got {PRINTS}"):
        print_file(PRINTS)
