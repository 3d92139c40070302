"""Figure 3: what cameras see of the tests' scenes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from dgrasp.report.figures.draw import letter_panels, show_view
from dgrasp.report.figures.pictures import averaged
from dgrasp.report.names import object_label, task_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.cell import Cell
from dgrasp.sim.tasks.paper import task

TASKS, SCENES = ("simple", "clutter", "novel"), 4


def draw_fig03(studio: Studio) -> Drawn:
    """The first test scenes of the paper's tasks, from the policies' first viewpoint, in the looks that they see."""
    figure, axes = plt.subplots(len(TASKS), SCENES, figsize=(9.0, 5.4))
    rows = []
    camera, finer = studio.experiment.profile.cell.model.lens(400, 300), studio.size.finer
    with Cell(studio.experiment.profile.cell) as cell:
        for row, name in zip(axes, TASKS, strict=True):
            for i, ax in enumerate(row):
                scene = task(name, cell.config.description).scene(split="test", index=i, seed=studio.experiment.seed)
                cell.reset(scene)
                seen = cell.observe(cell.config.model.fixed_views(2)[:1], camera.resized(400 * finer, 300 * finer))
                show_view(ax, averaged(seen, finer), 0, task_label(name) if i == 0 else None)
                rows.append({"task": name, "scene": i, "objects": ", ".join(o.name for o in scene.objects),
                             "models": ", ".join(scene.model_sources) or "prisms"})  # fmt: skip
                if name == "novel":
                    ax.set_xlabel(object_label(scene.objects[0].name), fontsize=7.5)
    letter_panels(axes[:, 0])
    return Drawn(figure, pd.DataFrame(rows), {"demonstrations": studio.experiment.demonstrations()}, {"scenes": SCENES})
