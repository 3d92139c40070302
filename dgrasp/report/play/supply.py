"""What the page plays with: scenes and models of an experiment, described in a catalogue and made when asked for."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell import workspace
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import CONTROLS, POLICIES, policy_spec
from dgrasp.report.explorer.data import check_comparable
from dgrasp.report.figures.slope_arrows import one_per_method
from dgrasp.report.names import model_label, policy_label, task_label
from dgrasp.report.play.export import model_file, scene_file
from dgrasp.report.play.surfaces import surfaces
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.function import GraspValue

SCENES = (("simple", 0), ("clutter", 0), ("novel", 0), ("simple", 1), ("clutter", 1), ("novel", 1))
PICTURE = (640, 480)  # pixels of a drawn picture; policies see smaller ones
FINE = 2  # a picture is rendered so many times as large and averaged, against staircases
GRASPS = 12  # known grasps of a scene that can be chosen, at most
QUALITY = 88  # of the JPEG pictures


@dataclass(frozen=True)
class PlayScene:
    """One scene by name: what stands there, what the policies see, and pictures of the same views for the reader."""

    id: str
    title: str
    scene: Scene
    views: Views
    pictures: Views


@dataclass(frozen=True, eq=False)
class Supply:
    """Models, scenes and settings for the page; `catalogue` and the files are plain values and bytes.

    values: the models by name, on one Phi. bounds: corners of the workspace, metres. settings: optimizer settings of
    policies (or other names) with the model, representation and schedule that they belong to.
    Raises ValueError for no scenes or settings, and for models that do not read one Phi in the same way.
    """

    values: Mapping[str, GraspValue]
    scenes: Sequence[PlayScene]
    bounds: tuple[Tensor, Tensor]
    settings: Mapping[str, tuple[OptimizerConfig, str, str]]  # name -> settings, representation, schedule
    experiment: str = "custom"
    _files: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.scenes or not self.settings:
            raise ValueError("scenes, settings: expected one of each or more")
        check_comparable(self.values)

    @classmethod
    def of(cls, experiment: Experiment, scenes: Sequence[tuple[str, int]] = SCENES) -> Supply:
        """An experiment's models and tuned settings, and test scenes (task, index) of its seed."""
        policies = [policy_spec(name) for name in experiment.profile.evaluation.policies]
        models = dict.fromkeys(spec.model for spec in policies)
        settings = {s.name: (experiment.optimizer(s.name), s.representation, s.schedule) for s in policies}
        return cls(
            {model: experiment.load_value(model) for model in models},
            play_scenes(experiment, scenes),
            experiment.profile.value.bounds,
            settings,
            experiment.profile.name,
        )

    @cached_property
    def catalogue(self) -> dict[str, Any]:
        """What there is, for the page: see `source/main.js`."""
        methods = list(one_per_method(self.values).values()) or list(self.values)
        first = [methods[0], methods[-1]] if len(methods) > 1 else list(self.values)[:2]
        return {
            "experiment": self.experiment,
            "scenes": [{"id": s.id, "title": s.title} for s in self.scenes],
            "models": [{"id": name, "title": model_title(name)} for name in self.values],
            "policies": {name: _settings(name, *of) for name, of in self.settings.items()},
            "bounds": [corner.tolist() for corner in self.bounds],
            "first": {"scene": self.scenes[0].id, "models": first, "policy": self._policy(first[-1])},
        }

    def file(self, kind: str, id: str) -> bytes:
        """The file of a model or a scene. Raises ValueError naming what exists."""
        known = {"model": list(self.values), "scene": [s.id for s in self.scenes]}
        if kind not in known or id not in known[kind]:
            exist = "; ".join(f"{k}s: {', '.join(names)}" for k, names in known.items())
            raise ValueError(f"unknown {kind} {id!r}; {exist}")
        if (kind, id) not in self._files:
            self._files[kind, id] = self._model(id) if kind == "model" else self._scene(id)
        return self._files[kind, id]

    def _model(self, name: str) -> bytes:
        return model_file(self.values[name], model_title(name))

    def _scene(self, id: str) -> bytes:
        (chosen,) = (s for s in self.scenes if s.id == id)
        drawn = surfaces(chosen.scene) | _pictures(chosen.pictures) | {"grasps": known_grasps(chosen.scene)}
        facts = {"id": id, "title": chosen.title, "pictures": len(chosen.pictures), **board_facts(self.bounds)}
        return scene_file(next(iter(self.values.values())), chosen.views, facts, drawn)

    def _policy(self, model: str) -> str:
        """Settings to begin with: of a policy with that model, best one that moves both parts at once."""
        names = [name for name in self.settings if name in _known_policies() and policy_spec(name).model == model]
        return max(names, key=lambda name: self.settings[name][2] == "sync", default=next(iter(self.settings)))


def play_scenes(experiment: Experiment, scenes: Sequence[tuple[str, int]]) -> list[PlayScene]:
    """Test scenes of the experiment's seed, as its policies see them."""
    made = []
    width, height = PICTURE
    large = experiment.observer.model_copy(update={"width": FINE * width, "height": FINE * height})
    with (
        SimulatedCell(experiment.profile.cell, experiment.observer) as cell,
        SimulatedCell(experiment.profile.cell, large) as studio,
    ):
        for name, index in scenes:
            scene = task(name, cell.description).scene(split="test", index=index, seed=experiment.seed)
            cell.show(scene)
            studio.show(scene)
            title = f"{task_label(name)}, scene {index + 1}"
            made.append(PlayScene(f"{name}-{index}", title, scene, cell.observe(), _smaller(studio.observe())))
    return made


def known_grasps(scene: Scene, most: int = GRASPS) -> np.ndarray:
    """(n, 12): some of the oracle's grasps, evenly chosen; (0, 12) where it knows none (novel objects)."""
    grasps = oracle_grasps(scene)
    chosen = np.unique(np.linspace(0, len(grasps) - 1, min(most, len(grasps))).round().astype(int))
    return grasps[chosen, :3].reshape(-1, 12).astype(np.float64)


def model_title(name: str) -> str:
    """How readers call a model (`model_label`); an unknown one keeps its name."""
    known = {policy_spec(policy).model for policy in _known_policies()}
    return model_label(name) if name in known else name


def policy_title(name: str) -> str:
    """How readers call a policy (`policy_label`); an unknown one keeps its name."""
    return policy_label(name) if name in _known_policies() else name


def _known_policies() -> frozenset[str]:
    return frozenset({**POLICIES, **CONTROLS})


def _settings(name: str, optimizer: OptimizerConfig, representation: str, schedule: str) -> dict[str, Any]:
    return {
        "title": policy_title(name),
        "representation": representation,
        "schedule": schedule,
        "optimizer": optimizer.model_dump(mode="json"),
    }


def _smaller(views: Views) -> Views:
    """Averaged over blocks of FINE x FINE pixels, with the calibration of the smaller picture."""
    n, height, width, _ = views.images.shape
    blocks = views.images.reshape(n, height // FINE, FINE, width // FINE, FINE, 3).astype(np.float64)
    K = np.stack([Intrinsics.d415(width // FINE, height // FINE).matrix] * n)
    return Views(np.round(blocks.mean(axis=(2, 4))).astype(np.uint8), K, views.Ts_world_cam)


def _pictures(pictures: Views) -> dict[str, np.ndarray]:
    drawn = {f"picture.{i}": np.frombuffer(_jpeg(image), np.uint8) for i, image in enumerate(pictures.images)}
    return drawn | {"picture_K": pictures.K.astype(np.float64)}


def _jpeg(image: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, format="jpeg", quality=QUALITY)
    return target.getvalue()


def board_facts(bounds: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """The board's corners, the middle of the view in three dimensions, and a pose for scenes without known grasps."""
    x, y = workspace.BOARD_CENTRE_XY
    half_x, half_y = workspace.BOARD_SIZE[0] / 2, workspace.BOARD_SIZE[1] / 2
    z = workspace.BOARD_TOP
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    down = [1, 0, 0, x, 0, -1, 0, y, 0, 0, -1, float(bounds[1][2])]  # a gripper that points down, above the middle
    return {
        "board": [[x + a * half_x, y + b * half_y, z] for a, b in corners],
        "centre": [x, y, z + 0.03],
        "middle": down,
    }
