"""A small build folder, made up in a second: one file of every kind that is read, and how each is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor

from dgrasp.cameras import Intrinsics
from dgrasp.cell.interface import Calibration, CameraCalibration
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.config import Config
from dgrasp.data import layout
from dgrasp.evaluation.config import TuningConfig
from dgrasp.evaluation.study.search import tune
from dgrasp.evaluation.study.trials import study_trials
from dgrasp.experiment.profiles import load_profile
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.robot.calibration.hand_eye import HandEyeCalibration, Residuals, load_calibration
from dgrasp.robot.hardware import HardwareConfig
from dgrasp.robot.log import LogWriter, read_log
from dgrasp.robot.viewpoints import Viewpoint
from dgrasp.runs import Run, open_run, read_run
from dgrasp.sim.scene import Scene
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig
from dgrasp.value.models import ValueRecipe
from dgrasp.value.training import build_value, load_value

NERF = NerfConfig.model_validate(
    {
        "encoder": {"kind": "convolution", "channels": 4, "width": 4},
        "field": {"hidden": 8, "position_frequencies": 3, "direction_frequencies": 2},
    }
)
VALUE = ValueRecipe(
    model="base",
    value=ValueConfig.model_validate(
        {
            "queries": {"points_per_line": 1},
            "readout": {"activation_features": 8, "query_features": 8, "trunk_hidden": 16, "trunk_features": 8},
        }
    ),
)
HEADER = {
    "backend": "twin",
    "devices": {},
    "calibration": "c0ffee",
    "protocol": {"policies": ["base_6d_seq"], "objects": ["tennis ball"], "presentations": 3},
}
CELL = HardwareConfig(
    arm="192.0.2.7",
    cameras={"left": "1"},
    board_heights=(-0.0125, -0.0130, -0.0118),
    viewpoints=(Viewpoint(camera="left"),),
    calibration=Calibration(
        cameras=(
            CameraCalibration(
                camera="left", width=64, height=48, fx=61.7, fy=61.7, cx=32.0, cy=24.0, mount="world",
                T_mount_cam=tuple(map(tuple, evaluation_viewpoints(2)[0].tolist())),
            ),
        )
    ),
)  # fmt: skip


class Recipe(Config):
    """Of runs of which only the files matter."""

    trials: int = 3


@dataclass(frozen=True)
class Subject:
    """A file, what its reader makes of it as comparable text, and whether a person writes it.

    What a person writes may be changed into something else that is as good; what the package wrote may not.
    """

    path: Path
    read: Callable[[], str]
    by_hand: bool = False


def subjects(folder: Path, seed: int = 0) -> dict[str, Subject]:
    """Make the build in `folder`; equal seeds make equal contents."""
    runs = {name: make(folder, seed).path for name, make in RUNS.items()}
    nerf, value, study, trials, data = (runs[name] for name in ("nerf", "value", "study", "trials", "demonstrations"))
    calibration, cell, profile = _calibration(folder, seed), folder / "cell.yaml", folder / "mine.yaml"
    CELL.model_copy(update={"arm": f"192.0.2.{7 + seed}"}).write(cell)
    profile.write_text(yaml.safe_dump({"name": "mine", "value": {"steps": 7 + seed}, "nerf": {"rays": {"near": 0.4}}}))

    def phi() -> str:
        return _digest(load_nerf(read_run(nerf, NerfConfig)).state_dict())

    def readout() -> str:
        return _digest(load_value(read_run(value, ValueRecipe), read_run(nerf, NerfConfig)).readout.state_dict())

    def stated() -> str:
        run = read_run(nerf, NerfConfig)
        return f"{run.stage} {run.fingerprint} {run.seed} {run.summary} {run.metrics()}"

    def trials_of_study() -> str:
        return study_trials({"p": read_run(study, Recipe)}).to_json()

    def log() -> str:
        read_run(trials, Recipe).summary  # noqa: B018 (raises if something is damaged)
        found = read_log(trials / "logs" / "p.jsonl")
        return json.dumps([found.header, *found.records, found.cut])

    def manifest() -> str:
        read_run(data, Recipe).summary  # noqa: B018
        return json.dumps(layout.read_manifest(data))

    return {
        "weights": Subject(nerf / "weights.safetensors", phi),
        "readout": Subject(value / "readout.safetensors", readout),
        "run.json": Subject(nerf / "run.json", stated),
        "done.json": Subject(nerf / "done.json", stated),
        "metrics": Subject(nerf / "metrics.jsonl", stated),
        "study": Subject(study / "study.journal", trials_of_study),
        "manifest": Subject(data / "manifest.json", manifest),
        "scene": Subject(layout.scene_path(data, "train", 0), lambda: _scene_text(data)),
        "log": Subject(trials / "logs" / "p.jsonl", log),
        "calibration": Subject(calibration, lambda: load_calibration(calibration).canonical(), by_hand=True),
        "cell": Subject(cell, lambda: HardwareConfig.read(cell).canonical(), by_hand=True),
        "profile": Subject(profile, lambda: load_profile(profile).canonical(), by_hand=True),
    }


def _nerf(folder: Path, seed: int) -> Run:
    run = open_run(folder, "nerf", NERF, seed=seed)
    run.save("weights", build_nerf(NERF, seed).state_dict())
    run.log(10, loss=0.25 + seed)
    return run.finish(steps=12, psnr=20.5)


def _value(folder: Path, seed: int) -> Run:
    nerf = open_run(folder, "nerf", NERF, seed=seed)
    run = open_run(folder, "value-base", VALUE, inputs={"nerf": nerf}, seed=seed)
    run.save("readout", build_value(VALUE.value, build_nerf(NERF, seed), seed).readout.state_dict())
    run.log(10, main=0.5)
    return run.finish(nerf=nerf.fingerprint, main=0.5)


def _study(folder: Path, seed: int) -> Run:
    run = open_run(folder, "tuning-p", Recipe(), seed=seed)
    tune(
        lambda config: [config.translation_rate > 0.01 * k for k in range(4)], OptimizerConfig(),
        TuningConfig(trials=3, startup_trials=2), storage=run.path / "study.journal", name="p", seed=seed,
    )  # fmt: skip
    return run.finish(trials=3, pruned=0, success=1.0, optimizer={})


def _demonstrations(folder: Path, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    stages, views, Ts = 2, 3, np.repeat(np.eye(4)[None], 5, 0)
    record = {"index": 0, "stages": [{"scene": Scene(()).describe(), "object": "box"}] * stages}
    scene = layout.SceneRecord(
        rng.integers(0, 256, (stages, views, 12, 16, 3), dtype=np.uint8), rng.normal(size=(stages, views, 3, 3)),
        rng.normal(size=(stages, views, 4, 4)), rng.normal(size=(stages, 4, 4)), (Ts[:3], Ts[3:]), record,
    )  # fmt: skip
    run = open_run(folder, "demonstrations", Recipe(), seed=seed)
    path = layout.scene_path(run.path, "train", 0)
    layout.save_scene(path, scene)
    layout.write_manifest(run.path, {path.name: layout.manifest_entry(path, scene)}, policy_views=2)
    return run.finish(demonstrations=2)


def _scene_text(data: Path) -> str:
    path = layout.scene_path(data, "train", 0)
    scene = layout.load_scene(path, layout.read_manifest(data)["files"][path.name]["sha256"])
    arrays = (scene.images, scene.K, scene.Ts_world_cam, scene.T_world_grasp, *scene.trajectories)
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest() + json.dumps(scene.record)


def _trials(folder: Path, seed: int) -> Run:
    run = open_run(folder, "twin-trials", Recipe(), seed=seed)
    with LogWriter(run.path / "logs" / "p.jsonl", HEADER) as log:
        for number in (1, 2, 3):
            log.append(
                "trial",
                {"number": number, "policy": "base_6d_seq", "backend": "twin", "outcome": "success", "success": True,
                 "execution": {"moved": True, "width": 0.05}, "time": f"2026-01-0{number}", "reason": f"seed {seed}"},
            )  # fmt: skip
    return run.finish(trials=3)


def _calibration(folder: Path, seed: int) -> Path:
    intrinsics = Intrinsics.d415(64, 48)
    camera = CELL.calibration.cameras[0].model_copy(update={"mount": "tool0", "fx": intrinsics.fx + seed})
    found = HandEyeCalibration(
        camera=camera, T_world_board=tuple(map(tuple, np.eye(4).tolist())), method="PARK", views=12,
        residuals=Residuals(**dict.fromkeys(Residuals.model_fields, 0.1)),
    )  # fmt: skip
    return found.save(folder / "calibration.json")


def _digest(weights: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


RUNS: dict[str, Callable[[Path, int], Run]] = {
    "nerf": _nerf, "value": _value, "study": _study, "trials": _trials, "demonstrations": _demonstrations,
}  # fmt: skip
