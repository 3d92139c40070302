"""Figure 3: what cameras see of the tests' scenes."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dgrasp.report.figures.draw import letter_panels, show_view
from dgrasp.report.figures.pictures import averaged
from dgrasp.report.names import object_label, task_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task

TASKS, SCENES = ("simple", "clutter", "novel"), 4


def draw_fig03(studio: Studio) -> Drawn:
    """The first test scenes of the paper's tasks, from one of the policies' two viewpoints, in the looks they see."""
    figure, axes = plt.subplots(len(TASKS), SCENES, figsize=(9.0, 5.4))
    rows = []
    camera, finer = studio.experiment.profile.cell.model.lens(400, 300), studio.size.finer
    with Cell(studio.experiment.profile.cell) as cell:
        views = cell.config.model.fixed_views(2)
        for row, name in zip(axes, TASKS, strict=True):
            for i, ax in enumerate(row):
                scene = task(name, cell.config.description).scene(split="test", index=i, seed=studio.experiment.seed)
                cell.reset(scene)
                seen = cell.observe(_farther(views, scene)[None], camera.resized(400 * finer, 300 * finer))
                show_view(ax, averaged(seen, finer), 0, task_label(name) if i == 0 else None)
                rows.append({"task": name, "scene": i, "objects": ", ".join(o.name for o in scene.objects),
                             "models": ", ".join(scene.model_sources) or "prisms"})  # fmt: skip
                if name == "novel":
                    ax.set_xlabel(object_label(scene.objects[0].name), fontsize=7.5)
    letter_panels(axes[:, 0])
    return Drawn(figure, pd.DataFrame(rows), {"demonstrations": studio.experiment.demonstrations()}, {"scenes": SCENES})


def _farther(views: Iterable[np.ndarray], scene: Scene) -> np.ndarray:
    """Of some camera poses the one farthest from the objects' middle: what lies close to a camera is cut off by it."""
    middle = np.mean([o.T_world_object[:3, 3] for o in scene.objects], axis=0)
    return max(views, key=lambda T_world_cam: float(np.linalg.norm(T_world_cam[:3, 3] - middle)))
