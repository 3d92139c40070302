# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. Data generation: grasps that really lifted something
#
# **Question.** What does the policy learn from?
#
# > **Box.** Makes Figure 3 and the demonstrations that all later notebooks train on. Needs no earlier notebook.
# > Smoke about a minute on two cores, laptop about half an hour, most of it physics. Interrupt it and run it again:
# > it goes on by scene.
#
# A UR10 with a Robotiq 2F-140 gripper stands at a workbench with upright, single-coloured prisms (the *simple* task).
# An oracle that
# knows the simulator's state proposes a grasp, the arm executes it in physics, and only if the object ends up in the
# air does the trial
# become a demonstration. Then the object is gone, and the next of the five has its turn (Sec. 4.1).

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from dgrasp import sim, streams
from dgrasp.cameras import Intrinsics
from dgrasp.data import DemonstrationSet
from dgrasp.experiment import Experiment
from dgrasp.report.draw import show_view
from dgrasp.report.film import film
from dgrasp.report.notebook import show_source, versions
from dgrasp.report.outputs import save_output
from dgrasp.report.plots import plot_demonstration
from dgrasp.report.scenes import picture

experiment = Experiment.at(profile, build, seed)
run = experiment.demonstrations()
demos = DemonstrationSet(run, split="train")
print(f"{len(demos)} training demonstrations; the whole run:", run.summary)

# %% [markdown]
# ## The result first: one demonstration
#
# Left, what the policy may see. Right, what the demonstrator did: the gripper from blue (start) to green (grasp). The
# paper does not say where
# trajectories start or how densely they are recorded; ours start anywhere above the workspace, so that slopes can be
# taught everywhere.

# %%
demo = demos[0]
print(f"object {demo.object!r}, {len(demo.Ts_world_tcp)} recorded poses, {len(demo.views)} views")
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
show_view(axes[0], demo.views, title="observation")
plot_demonstration(axes[1], picture(experiment.profile.cell, demo.state), demo.Ts_world_tcp, title="trajectory")

# %% [markdown]
# ## The cell, and a trial as a filmstrip
#
# The trial reads like a protocol: home, approach, close, lift, hold, judge. Nothing is teleported; a pose that the
# arm cannot reach, or reaches only
# through the table, is a failed grasp with a reason.

# %%
scene = sim.task("simple").scene(split="train", index=0, seed=seed)
T_world_tcp, Ts_world_tcp = sim.oracle(scene, streams.rng(seed, "notebook 01"))
with sim.Cell(experiment.profile.cell) as cell:
    cell.reset(scene)
    frames, trial = film(cell, T_world_tcp)
print(f"{trial.outcome.value}: {trial.reason} ({trial.simulated_seconds:.1f} simulated seconds)")

# %%
figure, axes = plt.subplots(2, 3, figsize=(9, 4.8))
for ax, (label, image) in zip(axes.flat, frames, strict=False):
    ax.imshow(image)
    ax.set_title(label)
    ax.set_axis_off()

# %% [markdown]
# What counts as success is the paper's definition: the object is enveloped by the fingers (contacts on both pads) and
# lifted.

# %%
show_source(sim.trial._Attempt.run, sim.trial._Attempt.enveloped, sim.trial._Attempt.lifted)

# %% [markdown]
# ## The views
#
# Every stage of a scene is seen from random places on a sphere of 0.8 m about the workspace. The first five are what
# Psi trains on; the NeRF trains on all.

# %%
count = experiment.profile.data.policy_views
figure, axes = plt.subplots(1, count, figsize=(2 * count, 1.8))
for i, ax in enumerate(np.atleast_1d(axes)):
    show_view(ax, demo.views, i)

# %% [markdown]
# ## What was generated
#
# The data card is made from the run itself: counts, object sizes, outcomes by reason. Failed attempts of the oracle
# are counted too.

# %%
display(Markdown((run.path / "data_card.md").read_text()))

# %% [markdown]
# ## Figure 3: observations of all tasks
#
# The policy will be tested on scenes unlike its training: *clutter* (five prisms packed together, not upright) and
# *novel objects* (one YCB object).
# The test scenes' seeds are disjoint from those of training and validation.

# %%
figure, axes = plt.subplots(3, 4, figsize=(9, 5.4))
models = {}
size = (experiment.profile.data.width, experiment.profile.data.height)
with sim.Cell(experiment.profile.cell) as cell:
    for row, name in zip(axes, sim.TASKS, strict=True):
        for i, ax in enumerate(row):
            scene = sim.task(name).scene(split="test", index=i, seed=seed)
            cell.reset(scene)
            show_view(
                ax,
                cell.observe(sim.evaluation_viewpoints(2)[:1], Intrinsics.d415(640, 480)),
                title=name if i == 0 else None,
            )
            models[name, i] = {
                "task": name,
                "scene": i,
                "objects": len(scene.objects),
                "models": ", ".join(scene.model_sources) or "prisms",
            }
data = pd.DataFrame(models.values())
save_output(
    "fig03", figure, data, experiment.figures, profile=experiment.profile.name, runs={"demonstrations": run}, seed=seed
)

# %% [markdown]
# ## What we saw

# %%
counts = pd.Series([d.object for d in demos]).value_counts()
display(Markdown(f"{len(demos)} lifted grasps. Objects: {counts.to_dict()}. YCB models: {data['models'].iloc[-1]}."))

# %% [markdown]
# ## Try it
#
# - Move the grasp: `T_world_tcp[0, 3] += 0.05` before `film`, and read the outcome and its reason.
# - Count how often the oracle fails, by reason, in the data card.

# %%
versions()
