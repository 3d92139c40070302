"""Figure 3: what cameras see of the tests' scenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dgrasp.report.figures.draw import letter_panels, show_view
from dgrasp.report.figures.pictures import averaged
from dgrasp.report.names import object_label, task_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task
from dgrasp.twin.cell import TwinCell

TASKS, SCENES = ("simple", "clutter", "novel"), 4
PRESENTED = ("tennis ball", "rubber duck", "hiking boot", "power drill")  # in the twin


def draw_fig03(studio: Studio) -> Drawn:
    """The first test scenes of the paper's tasks and some of the twin, from one of the policies' two viewpoints."""
    figure, axes = plt.subplots(1 + len(TASKS), SCENES, figsize=(9.0, 7.1))
    rows = []
    camera, finer = studio.experiment.profile.cell.model.lens(400, 300), studio.size.finer
    with Cell(studio.experiment.profile.cell) as cell:
        views = cell.config.model.fixed_views(2)
        for row, name in zip(axes, TASKS, strict=False):
            for i, ax in enumerate(row):
                scene = task(name, cell.config.description).scene(split="test", index=i, seed=studio.experiment.seed)
                cell.reset(scene)
                seen = cell.observe(_farther(views, scene)[None], camera.resized(400 * finer, 300 * finer))
                show_view(ax, averaged(seen, finer), 0, task_label(name) if i == 0 else None)
                rows.append({"task": name, "scene": i, "objects": ", ".join(o.name for o in scene.objects),
                             "models": ", ".join(scene.model_sources) or "prisms"})  # fmt: skip
                if name == "novel":
                    ax.set_xlabel(object_label(scene.objects[0].name), fontsize=7.5)
    rows += _presented(studio, axes[-1])
    letter_panels(axes[:, 0])
    return Drawn(figure, pd.DataFrame(rows), {"demonstrations": studio.experiment.demonstrations()}, {"scenes": SCENES})


def _presented(studio: Studio, row: Sequence[Axes]) -> list[dict[str, object]]:
    """Objects of the real robot's trials, as the policies see them in the twin: first presentations."""
    experiment, rows = studio.experiment, list[dict[str, object]]()
    p = experiment.profile
    with TwinCell(p.twin.reality, p.cell, experiment.observer, experiment.seed) as cell:
        for i, (ax, name) in enumerate(zip(row, PRESENTED, strict=True)):
            scene = cell.present(name, 0)
            views = cell.observe()
            chosen = _farther(views.Ts_world_cam, scene)
            view = next(k for k, T in enumerate(views.Ts_world_cam) if np.array_equal(T, chosen))
            show_view(ax, views, view, "digital twin" if i == 0 else None)
            ax.set_xlabel(name, fontsize=7.5)
            rows.append({"task": "twin", "scene": i, "objects": name, "models": ", ".join(scene.model_sources) or "-"})
    return rows


def _farther(views: Iterable[np.ndarray], scene: Scene) -> np.ndarray:
    """Of some camera poses the one farthest from the objects' middle: what lies close to a camera is cut off by it."""
    middle = np.mean([o.T_world_object[:3, 3] for o in scene.objects], axis=0)
    return max(views, key=lambda T_world_cam: float(np.linalg.norm(T_world_cam[:3, 3] - middle)))
