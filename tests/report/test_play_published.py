"""What is published, in the browser: scores, slopes and climbs of every scene that the page offers are Python's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
from lab import chromium, programs
from small_play import PlayPage, assert_agrees, climb_in_page, landscape, poses, share_near

from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import policy_spec
from dgrasp.report.play.supply import SCENES, PlayScene, Supply
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.slopes.climb import optimize_poses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # 25 s alone

LARGEST_MB = 8.0  # of what is loaded before the first scene can be played
CLIMBS = (("base_quat_seq", "simple-0"), ("dgrasp_quat_sync", "clutter-0"), ("dgrasp_6d_sync", "novel-0"))
STARTS = 48


@pytest.fixture(scope="module")
def supply(tmp_path_factory: pytest.TempPathFactory) -> Supply:
    """The published models over all scenes that the page offers; their pictures are what the policies see."""
    experiment = Experiment.open("published", tmp_path_factory.mktemp("build"))
    settings = {}
    for name, _ in CLIMBS:
        spec = policy_spec(name)
        settings[name] = (experiment.optimizer(name), spec.representation, spec.schedule)
    scenes = []
    with SimulatedCell(experiment.profile.cell, experiment.observer) as cell:
        for name, index in SCENES:
            scene = task(name).scene(split="test", index=index, seed=experiment.seed)
            cell.show(scene)
            views = cell.observe()
            scenes.append(PlayScene(f"{name}-{index}", name, scene, views, views))
    values = {model: experiment.load_value(model) for model in ("base", "dgrasp_quat", "dgrasp_6d")}
    for value in values.values():
        value.readout.requires_grad_(False)
    return Supply(values, scenes, experiment.profile.value.bounds, settings)


@pytest.fixture(scope="module")
def page(supply: Supply, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayPage]:
    programs()
    folder: Path = tmp_path_factory.mktemp("page")
    with chromium(folder / "profile") as chrome:
        yield PlayPage(chrome, supply, folder).open()


def test_the_first_scene_is_light(page):
    first, folder = page.supply.catalogue["first"], page.path.parent / "play-files"
    files = [page.path, folder / f"scene-{first['scene']}.js", *(folder / f"model-{m}.js" for m in first["models"])]
    assert sum(path.stat().st_size for path in files) < LARGEST_MB * 1e6, [path.stat().st_size for path in files]


def test_every_shipped_scene_agrees_with_python(page):
    for index, scene in enumerate(page.supply.scenes):
        page.run("await app.loadScene(a[0]); await app.loadModels(a[1]);", scene.id, ["base", "dgrasp_quat"])
        for model in ("base", "dgrasp_quat"):
            assert_agrees(page, model, index, poses(240, seed=index))


def test_climbs_end_where_pythons_end(page):
    """Final poses within 1 mm and 1 degree for 95 % of all candidates."""
    shares = []
    for policy, scene in CLIMBS:
        model, (config, rep, schedule) = policy_spec(policy).model, page.supply.settings[policy]
        page.run("await app.loadScene(a[0]); await app.loadModels([a[1], '']);", scene, model)
        config = config.model_copy(update={"n_starts": STARTS, "pruning": ((4, 40),), "pruning_first": None})
        T, index = poses(STARTS, seed=5), [s.id for s in page.supply.scenes].index(scene)
        climbed = optimize_poses(
            landscape(page.supply, model, index), T, config,
            representation=rep, schedule=schedule, bounds=page.supply.bounds, record=True,
        )  # fmt: skip
        end = climb_in_page(page, T, config, rep, schedule)
        assert end["climbing"] == sorted(climbed.start.tolist())
        assert climbed.paths is not None
        shares.append(share_near(end, climbed.paths[-1]))
    assert np.mean(shares) >= 0.95, shares
