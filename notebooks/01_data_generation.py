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
# > **At a glance.** Makes Figure 3 and the demonstrations that all later notebooks train on. Needs no earlier
# > notebook. `smoke` takes less than a minute on two cores, `laptop` seven, most of it physics; with `published` a
# > sample of the scenes is made again. If you interrupt it, run it again: finished scenes are kept.
#
# A UR10 with a Robotiq 2F-140 gripper stands at a workbench with upright prisms: in the paper those of the *simple*
# task, of one colour and at a distance from each other. A profile may choose another task (`data.task`); what the
# models at hand were trained on is printed below. An oracle that knows the simulator's state proposes a grasp, the arm
# executes it in physics, and only if the object ends up in the air does the trial become a demonstration. Then the
# object is gone, and the next of the five has its turn (Sec. 4.1).

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from dgrasp import sim, streams
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.data.layout import read_manifest
from dgrasp.data.statistics import attempts_table, objects_table, poses_table
from dgrasp.experiment.record import identical_scenes
from dgrasp.report.answers import data_answer
from dgrasp.report.figures.draw import show_view
from dgrasp.report.figures.filmstrip import film
from dgrasp.report.figures.pictures import picture
from dgrasp.report.figures.plots import plot_demonstration
from dgrasp.report.notebook import open_studio, show, show_source, versions
from dgrasp.sim.oracle import oracle

studio = open_studio(profile, build, seed)
experiment, size = studio.experiment, studio.size
run = experiment.example_scenes()
made = experiment.demonstrations()  # the same, but for a published experiment: of that, some scenes are made again
demos = DemonstrationSet(run, split="train")
print(f"{len(demos)} training demonstrations here")
print("{} of {} scene files here are byte for byte those of the models' training".format(*identical_scenes(run, made)))
pd.json_normalize(made.summary, sep=": ").T.set_axis(["demonstrated, for training and validation"], axis=1)

# %% [markdown]
# (What is drawn at random is the same everywhere. Processors round differently, which shows in the last bits of poses
# and in single pixels: on another kind of processor than that of the training few files or none are the same bytes.)

# %% [markdown]
# ## The result first: one demonstration
#
# Left, what the policy may see. Right, what the demonstrator did: the gripper from dark (start) to bright (grasp). The
# paper does not say where trajectories start or how densely they are recorded. **Before you look:** would you start
# them just above the object, or all over the workspace, if slopes are to be learned from them?

# %%
training = sim.task(experiment.profile.data.task)
print(f"trained on: {training.description}")
demo = demos[0]
print(f"object {demo.object!r}, {len(demo.Ts_world_tcp)} recorded poses, {len(demo.views)} views")
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
show_view(axes[0], demo.views, title="observation")
background = picture(experiment.profile.cell, demo.state, size.width, size.finer)
plot_demonstration(axes[1], background, demo.Ts_world_tcp, title="trajectory")
show(figure, "Left, the camera image. Right, gripper poses from a start above the board to a grasp on an object.")

# %% [markdown]
# ## The cell, and a trial as a filmstrip
#
# The trial reads like a protocol: home, approach, close, lift, hold, judge. Nothing is teleported; a pose that the arm
# cannot reach, or reaches only through the table, is a failed grasp with a reason.

# %%
scene = training.scene(split="train", index=0, seed=seed)
T_world_tcp, Ts_world_tcp = oracle(scene, streams.rng(seed, "notebook 01"))
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
show(figure, f"Six pictures of the arm: {', '.join(label for label, _ in frames)}.")

# %% [markdown]
# What counts as success is the paper's definition: the object is enveloped by the fingers (contacts on both pads) and
# lifted.

# %%
show_source(sim.GraspProtocol.run, sim.GraspProtocol.enveloped, sim.GraspProtocol.lifted)

# %% [markdown]
# ## The views
#
# Every stage of a scene is seen from a sphere of 0.8 m about the workspace: first from five fixed places (azimuths of
# −100, 0 and 100 degrees, then of ±80, all 45 degrees high), on which Ψ trains and from the last two of which plans
# are made, then from random ones. The NeRF trains on all.

# %%
count = experiment.profile.data.policy_views
figure, axes = plt.subplots(1, count, figsize=(2 * count, 1.8))
for i, ax in enumerate(np.atleast_1d(axes)):
    show_view(ax, demo.views, i)
show(figure, "The same scene from the fixed viewpoints, around the board at 45 degrees.")

# %% [markdown]
# ## What was generated
#
# The data card is made from the whole run that the models were trained on: counts, object sizes, outcomes by reason.
# Failed attempts of the oracle are counted too.

# %%
display(Markdown((made.path / "data_card.md").read_text()))

# %% [markdown]
# And how the attempts ended in the scenes that are here:

# %%
attempts_table(run)["outcome"].value_counts().to_frame("attempts")

# %% [markdown]
# Sizes of the prisms (the gripper opens 140 mm), where grasps were demonstrated, and how high the recorded poses are:
# slopes are taught from all over the workspace, and not only from above the object.

# %%
objects, poses = objects_table(run), poses_table(run)
grasps = poses[poses["left"] == 0]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.8))
axes[0].scatter(1e3 * objects["width"], 1e3 * objects["height"], s=6)
axes[0].set(xlabel="width (mm)", ylabel="height (mm)", title="prisms")
axes[1].scatter(poses["x"], poses["y"], s=1, color="0.7")
axes[1].scatter(grasps["x"], grasps["y"], s=6)
axes[1].set(xlabel="x (m)", ylabel="y (m)", title="grasps (blue) and ways there", aspect="equal")
axes[2].scatter(1e3 * poses["height"], np.degrees(poses["tilt"]), s=1)
axes[2].set(xlabel="height above the board (mm)", ylabel="tilt (degrees)", title="recorded poses")
show(figure, "Scatter plots: widths and heights of prisms, places of grasps and ways, heights and tilts of poses.")

# %% [markdown]
# ## Figure 3: observations of all tasks
#
# The policy will be tested on scenes unlike its training: *clutter* (five prisms packed together, not upright) and
# *novel objects* (one YCB object). The test scenes' seeds are disjoint from those of training and validation.

# %%
studio.make("fig03")

# %% [markdown]
# ## A task of your own
#
# A task is a recipe for scenes: subclass `Task`, and return objects at rest. Put the class into a module of yours, and
# its name `"module:Class"` works wherever a task is named, in profiles too. Here, a tower of two boxes, tried with the
# oracle's help:


# %%
class Tower(sim.Task):
    name, scenes, objects, attempts, description = "tower", 10, 2, 2, "one box on top of another"

    def arrange(self, rng, objects):
        boxes = [sim.Prism(4, 0.05, 0.06, 0.05)] * objects
        heights = 0.9605 + 0.025 + 0.0505 * np.arange(objects)  # board top, half a box, a little air
        poses = [np.block([[np.eye(3), np.array([[0.2], [0.0], [z]])], [np.zeros((1, 3)), 1.0]]) for z in heights]
        tower = [
            sim.SceneObject(f"box {i + 1}", box, tuple(rng.uniform(0.2, 0.9, 3)), 0.1, 0.5, T)
            for i, (box, T) in enumerate(zip(boxes, poses, strict=True))
        ]
        return sim.physics_rest(tower)


# %%
tower = Tower().scene(split="test", index=0, seed=seed)
with sim.Cell(experiment.profile.cell) as cell:
    cell.reset(tower)
    T_top = sim.oracle_grasps(tower, clear=False)
    trial = cell.execute(T_top[T_top[:, 2, 3].argmax()])
print(f"{trial.outcome.value}: {trial.reason}")
figure, ax = plt.subplots(figsize=(4, 3))
show_view(ax, picture(experiment.profile.cell, tower, size.width, size.finer), title="tower")
show(figure, "One box on top of another, in the middle of the board.")

# %% [markdown]
# ## What we saw

# %%
shown = {name: entry["demonstrations"] for name, entry in read_manifest(made.path)["files"].items()}
train = [count for name, count in shown.items() if name.startswith("train-")]
print(
    data_answer(sum(train), len(train), sum(shown.values()) - sum(train), poses["height"].min(), poses["height"].max())
)

# %% [markdown]
# ## Try it
#
# Move the grasp sideways, and read the outcome and its reason. A trial takes a few seconds. Expect the first
# centimetres to do nothing (the hand opens 140 mm and closes about the middle), and then a collision or a miss.

# %%
aside = 0.05  # metres

T_moved = T_world_tcp.copy()
T_moved[0, 3] += aside
with sim.Cell(experiment.profile.cell) as cell:
    cell.reset(scene)
    moved = cell.execute(T_moved)
print(f"{100 * aside:g} cm aside: {moved.outcome.value}, {moved.reason}")

# %%
versions()
