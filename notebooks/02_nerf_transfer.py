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
# # 2. NeRF transfer: what a network knows after learning to see around corners
#
# **Question.** Can a network that has only learned to render unseen views of a scene tell where things are?
#
# > **Box.** Makes no figure of the paper; trains Φ, on which everything later stands. Needs notebook 1.
# > Smoke a few minutes on two cores, laptop about half an hour. Resumes from its last checkpoint.
#
# Φ is an image-conditioned NeRF: unlike the classic NeRF it is not one network per scene. It reads the images, and
# answers for *any* scene: at a point
# seen from a direction, what colour and what density? It is trained for novel view synthesis on the simple task
# alone, then frozen. Its inner activations are
# what the grasp value function reads.

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import pandas as pd

from dgrasp.data import DemonstrationSet
from dgrasp.experiment import Experiment
from dgrasp.nerf import MVNeRF
from dgrasp.report.notebook import show_source, summary_table, versions
from dgrasp.report.novel_views import along_ray, novel_view
from dgrasp.report.plots import plot_novel_view, plot_ray

experiment = Experiment.at(profile, build, seed)
run = experiment.nerf()
phi = experiment.load_nerf()
held_out = DemonstrationSet(experiment.demonstrations(), split="validation")

# %% [markdown]
# ## The result first: views that nobody took
#
# Held-out scenes, seen in one or two source images; Φ renders another camera's view. Prediction before you look:
# which will be sharper, the table or
# the objects' edges?

# %%
sources = experiment.profile.nerf.training.source_views
for index in (0, 5):
    views = held_out[index].views
    target = sources  # the first view that is not a source
    rgb, depth = novel_view(phi, views, sources, target)
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.1))
    plot_novel_view(axes, views.images[0], views.images[target], rgb, depth)

# %% [markdown]
# ## How good is it?
#
# Peak signal-to-noise ratio on held-out scenes, over whole images and over the pixels of objects alone. The second is
# the honest one: most of an image is
# table.

# %%
summary_table({key: value for key, value in run.summary.items() if isinstance(value, int | float)})

# %%
metrics = pd.DataFrame(run.metrics())
figure, ax = plt.subplots(figsize=(6, 2.6))
ax.plot(metrics["step"], metrics["loss"])
_ = ax.set(xlabel="step", ylabel="coarse + fine MSE", yscale="log", title="training loss of Φ")

# %% [markdown]
# ## How it is built
#
# Per source view: a feature sampled at the point's projection, the coded position and direction in that camera's
# frame, three residual blocks; then the mean
# over views and more blocks. The *scene activations* are the mean and the outputs of the blocks behind it. Directions
# are rotated into the camera frame, not
# translated.

# %%
show_source(MVNeRF.activations)

# %% [markdown]
# ## What the activations know
#
# Walk along one ray of a held-out view, from the camera through an object into the table, and look at the density and
# at how much the activations change. If Φ
# knows where surfaces are, something must happen there.

# %%
demo = held_out[0]
towards = demo.T_world_grasp[:3, 3]  # the ray meets the object where it was grasped
depths, density, change = along_ray(phi, demo.views, sources, towards)
figure, axes = plt.subplots(2, 1, figsize=(7, 4), sharex=True)
plot_ray(axes, depths, density, change)

# %% [markdown]
# ## What we saw

# %%
summary = run.summary
print(f"{run.stage}: {experiment.profile.nerf.training.steps} steps in {run.seconds / 60:.1f} minutes on this machine")
print(", ".join(f"{k} {v:.2f}" for k, v in summary.items() if isinstance(v, float)))

# %% [markdown]
# ## Try it
#
# - Render with one source view and with two: what does the second one buy, in colours and in depth?
# - Ask for a view from below the table.

# %%
versions()
