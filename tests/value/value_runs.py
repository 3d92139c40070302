"""Complete input runs for the training stage, made up: random images and poses, an untrained Phi, no simulator."""

import os
import signal
from pathlib import Path

from value_scene import camera_views, workspace_poses

from dgrasp.cell.config import CellConfig
from dgrasp.data import layout
from dgrasp.data.config import DataConfig, DemonstrationsRecipe
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.runs import Run, open_run
from dgrasp.sim.scene import Scene
from dgrasp.value.config import ValueConfig
from dgrasp.value.training import train_value

CONFIG = ValueConfig.model_validate(
    {
        "queries": {"points_per_line": 1},
        "readout": {"activation_features": 8, "query_features": 8, "trunk_hidden": 16, "trunk_features": 8},
        "n_poses": 16,
        "slope": {"n_poses": 8},
        "steps": 10,
        "batch": 2,
        "policy_views": 2,
        "checkpoint_every": 3,
        "validate_every": 5,
        "log_every": 2,
        "validation_scenes": 2,
    }
)
NERF = NerfConfig.model_validate(
    {
        "encoder": {"kind": "convolution", "channels": 4, "width": 4},
        "field": {"hidden": 8, "position_frequencies": 3, "direction_frequencies": 2},
    }
)


def demonstrations_run(root: Path) -> Run:
    data = DataConfig(train_scenes=2, validation_scenes=1, views=3, policy_views=2, width=32, height=24)
    run = open_run(root, "demonstrations", DemonstrationsRecipe(data=data, cell=CellConfig()))
    if run.complete:
        return run
    files = {}
    for seed, (split, index) in enumerate((("train", 0), ("train", 1), ("validation", 0))):
        views, trajectory = camera_views(3, seed=seed), workspace_poses(6, seed).double().numpy()
        record = {"index": index, "stages": [{"scene": Scene(()).describe(), "object": "box"}]}
        arrays = (views.images, views.K, views.Ts_world_cam, trajectory[-1])
        scene = layout.SceneRecord(*(a[None] for a in arrays), (trajectory,), record)
        path = layout.scene_path(run.path, split, index)
        layout.save_scene(path, scene)
        files[path.name] = layout.manifest_entry(path, scene)
    layout.write_manifest(run.path, files, policy_views=2)
    return run.finish(demonstrations=3)


def nerf_run(root: Path, seed: int = 0, config: NerfConfig = NERF) -> Run:
    run = open_run(root, "nerf", config, inputs={"demonstrations": demonstrations_run(root)}, seed=seed)
    if run.complete:
        return run
    run.save("weights", build_nerf(config, seed).state_dict())
    return run.finish(steps=0)


def train(root: Path, model: str = "dgrasp_quat", config: ValueConfig = CONFIG, nerf: NerfConfig = NERF) -> Run:
    inputs = nerf_run(root, config=nerf), demonstrations_run(root), root
    return train_value(config, *inputs, model=model, threads=1)


def die_at(step: int) -> None:
    """kill -9 for this process at a step of a training."""
    from dgrasp.value.trainer import Trainer

    original = Trainer.step

    def deadly(self: Trainer, number: int, *given: object) -> list[dict[str, float]]:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, number, *given)

    Trainer.step = deadly
