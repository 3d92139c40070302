"""A page to play with that needs no build: small untrained models over scenes of noise, and the page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from selenium import webdriver
from small_explorer import NERF, VALUE, demonstration

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import rotation_angle, uniform_poses
from dgrasp.report.play.page import build_play
from dgrasp.report.play.supply import PlayScene, Supply
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig
from dgrasp.value.fast import Landscape
from dgrasp.value.training import build_value

AGREEMENT = 1e-3  # relative
AT_KINKS = 0.02  # share of poses whose slopes may differ: at Phi's kinks rounding decides on which side a pose lies
ASK = """
const [model, poses, slopes, done] = arguments;
document.getElementById("play").dgrasp
  .then((app) => app.pool.evaluate(model, Float64Array.from(poses), { slopes }))
  .then((a) => done({ scores: [...a.scores], slopes: a.slopes && [...a.slopes] }), (e) => done({ error: e.message }));
"""
STATUS = "return document.querySelector('.dgp-status')?.textContent ?? ''"


def small_supply(field: dict[str, Any] | None = None, value: dict[str, Any] | None = None) -> Supply:
    """Two models, two scenes of noise; field and value: other settings of the networks."""
    stated = NERF.model_dump()
    phi = build_nerf(NerfConfig.model_validate(stated | {"field": stated["field"] | (field or {})}))
    config = ValueConfig.model_validate(VALUE.model_dump() | (value or {}))
    values = {name: build_value(config, phi, seed) for seed, name in enumerate(("base", "dgrasp_quat"))}
    for one in values.values():
        one.readout.eval().requires_grad_(False)
    scenes = []
    for seed in (0, 1):
        shown = demonstration(seed)
        scenes.append(PlayScene(f"noise-{seed}", f"noise {seed}", shown.state, shown.views, shown.views))
    settings = {"dgrasp_quat_sync": (OptimizerConfig(steps=3, pruning=((1, 6),)), "quat", "sync")}
    return Supply(values, scenes, config.bounds, settings)


def poses(n: int, seed: int = 0) -> torch.Tensor:
    """Random poses in the workspace, (n, 4, 4)."""
    return uniform_poses(n, *VALUE.bounds, torch.Generator().manual_seed(seed))


class PlayPage:
    """The page in a browser, opened from disk."""

    def __init__(self, chrome: webdriver.Chrome, supply: Supply, folder: Path) -> None:
        self.chrome, self.supply = chrome, supply
        self.path = build_play(supply, folder)

    def open(self) -> PlayPage:
        """Load the page; returns when the first scene can be played or a message says why not."""
        self.chrome.set_script_timeout(250)
        self.chrome.get(self.path.as_uri())
        self.chrome.execute_async_script("document.getElementById('play').dgrasp.then(() => arguments[0]())")
        return self

    def status(self) -> str:
        """What the page says."""
        return str(self.chrome.execute_script(STATUS))

    def run(self, script: str, *arguments: object) -> Any:
        """The value of an async function's body with `app` and its further arguments `a`."""
        body = (
            "const done = arguments[arguments.length - 1], a = [...arguments].slice(0, -1);"
            f"(async () => {{ const app = await document.getElementById('play').dgrasp; {script} }})()"
            ".then(done, (e) => done('failed: ' + e.stack))"
        )
        return self.chrome.execute_async_script(body, *arguments)

    def evaluate(self, model: str, T: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Scores (n,) and slopes (n, 3, 4) of poses, as the page computes them."""
        answer = self.chrome.execute_async_script(ASK, model, T[:, :3].double().flatten().tolist(), True)
        assert "error" not in answer, answer
        return np.array(answer["scores"]), np.array(answer["slopes"]).reshape(-1, 3, 4)


def landscape(supply: Supply, model: str, scene: int) -> Landscape:
    """Python's landscape over a scene of the supply."""
    value = supply.values[model]
    found = value.bind(value.encode(supply.scenes[scene].views))
    assert isinstance(found, Landscape)
    return found


def assert_agrees(page: PlayPage, model: str, scene: int, T: torch.Tensor) -> None:
    """Scores of all poses, and slopes of all but those at kinks."""
    scores, slopes = landscape(page.supply, model, scene).scores_and_slopes(T)
    theirs, their_slopes = page.evaluate(model, T)
    ours = scores.numpy()
    assert (np.abs(theirs - ours) <= AGREEMENT * np.maximum(np.abs(ours), ours.std())).all()
    assert slopes is not None
    own = slopes[:, :3].numpy()
    apart = np.linalg.norm(their_slopes - own, axis=(1, 2)) / np.linalg.norm(own, axis=(1, 2)).clip(1e-9)
    assert (apart > AGREEMENT).mean() <= AT_KINKS, np.sort(apart)[-5:]


CLIMB = """
const [starts, settings, representation, schedule] = a, { bounds } = app.supply.catalogue;
let last = null;
for await (last of app.explorer.sides[0].landscape.climb(starts, { settings, representation, schedule, bounds }));
return last;
"""


def climb_in_page(
    page: PlayPage, T: torch.Tensor, config: OptimizerConfig, representation: str, schedule: str
) -> dict[str, Any]:
    """The last frame of a climb of the left model in the page: `poses`, `scores`, `climbing`."""
    starts = T[:, :3].double().reshape(-1, 12).tolist()
    last: dict[str, Any] = page.run(CLIMB, starts, config.model_dump(mode="json"), representation, schedule)
    assert isinstance(last, dict), last
    return last


def share_near(end: dict[str, Any], T: torch.Tensor) -> float:
    """Share of the final poses within 1 mm and 1 degree of Python's, (n, 4, 4)."""
    theirs, ours = torch.tensor(end["poses"]).view(-1, 3, 4).double(), T[:, :3].double()
    near = (theirs[:, :, 3] - ours[:, :, 3]).norm(dim=-1) < 1e-3
    near &= rotation_angle(theirs[:, :, :3], ours[:, :, :3]) < np.radians(1)
    return float(near.double().mean())
