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
# # 3. Training: the summit and the slopes
#
# **Question.** Two networks see the same grasps; one also sees how the demonstrator got there. How do their slopes
# differ?
#
# > **Box.** Makes Figure 2, and trains Ψ three times: Base (main loss), dGrasp with quaternions and with 6D rotations
# > (main + auxiliary loss).
# > Needs notebooks 1 and 2. Smoke a few minutes on two cores. Resumes from its last checkpoint.
#
# Ψ reads the frozen Φ at 42 points around the gripper (fewer at smoke) and returns one number. Only its small
# *GraspReadout* is trained.

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from dgrasp.data import DemonstrationSet
from dgrasp.experiment import Experiment
from dgrasp.report.notebook import show_source, versions
from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR, save_output
from dgrasp.report.plots import plot_labelled_poses, plot_queries, plot_slopes, policy_colour
from dgrasp.report.scenes import picture
from dgrasp.report.slopes import slope_arrows, slope_cosines
from dgrasp.value import exact_slope_loss, slope_loss, value_loss

experiment = Experiment.at(profile, build, seed)
runs = experiment.values()
values = {name: experiment.load_value(name) for name in runs}
held_out = DemonstrationSet(experiment.demonstrations(), split="validation")

# %% [markdown]
# ## The result first: do the slopes point where the demonstrator went?
#
# On held-out trajectories, perturbed as in training: the cosine between the slope and the displacement to the next
# pose. One is perfect, zero is
# chance.

# %%
cosines = pd.concat([slope_cosines(values[name], name, held_out, experiment.profile.value, seed) for name in runs])
cosines.groupby("model", sort=False)[["translation", "rotation"]].agg(["median", "mean"]).round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for ax, part in zip(axes, ("translation", "rotation"), strict=True):
    sns.ecdfplot(cosines, x=part, hue="model", palette=sns.color_palette("colorblind", len(runs)), ax=ax)
    ax.axvline(0, color="0.7", lw=0.8)
    ax.set(title=part, xlabel="cosine of slope and displacement", ylabel="share of poses below")

# %% [markdown]
# The further right a curve, the better: a curve through zero at one half is chance.

# %% [markdown]
# ## Where Ψ looks
#
# A pose becomes query points with view directions in the frame of the TCP: two lines along the approach, four looking
# inwards from the fingers.

# %%
figure = plt.figure(figsize=(5, 4))
queries = values["base"].queries
plot_queries(figure.add_subplot(projection="3d"), queries.points.numpy(), queries.directions.numpy())

# %% [markdown]
# ## The main loss
#
# One demonstrated grasp $p^0$ against sampled poses $p^i$ (Eq. 2). Uniform negatives alone are too easy, so a stated
# share of them lies close to the grasp.

# %%
show_source(value_loss)

# %% [markdown]
# ## The auxiliary loss
#
# Poses around the trajectory, each with the displacement to a later pose, compared with the slope (Eq. 4).
# Quaternions $q$ and $-q$ are the same rotation, so
# the nearer one is the target.

# %%
show_source(slope_loss)

# %% [markdown]
# ## Figure 2: what the two losses supervise
#
# Left, the grasp in green among sampled poses in red. Right, perturbed poses along a held-out trajectory: where the
# demonstrator moved, and where Base and dGrasp point.

# %%
demo = held_out[0]
arrows = slope_arrows(values, demo, experiment.profile.value, seed)
background = picture(experiment.profile.cell, demo.state)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
plot_labelled_poses(axes[0], background, arrows.T_world_grasp, arrows.Ts_negative, title="main loss")
directions = {
    "demonstrated": (arrows.displacement, "0.15"),
    "Base": (arrows.slopes["base"], BASE_COLOUR),
    "dGrasp": (arrows.slopes["dgrasp_quat"], DGRASP_COLOUR),
}
plot_slopes(axes[1], background, arrows.p_world, directions, title="auxiliary loss")
save_output("fig02", figure, arrows.table(), experiment.figures, profile=experiment.profile.name, runs=runs, seed=seed)

# %% [markdown]
# ## Second order, without the price
#
# The auxiliary loss needs the derivative of $\nabla_p\Psi$ in the weights (Eq. 5). Φ is frozen, so its second
# derivative never enters: with
# $a=\Phi(p)$, $J=\partial a/\partial p$ and $v=\partial\mathcal{L}_{aux}/\partial\nabla_p\Psi$,
# $$\frac{d\mathcal{L}_{aux}}{d\theta} = \frac{d}{d\theta}\left\langle J v, \frac{\partial\Psi}{\partial
# a}\right\rangle.$$

# %%
show_source(exact_slope_loss)

# %% [markdown]
# ## Learning curves

# %%
figure, ax = plt.subplots(figsize=(6, 2.8))
for name, run in runs.items():
    metrics = pd.DataFrame(run.metrics()).dropna(subset=["main"])
    ax.plot(metrics["step"], metrics["main"].rolling(20, min_periods=1).mean(), label=name, color=policy_colour(name))
ax.set(xlabel="step", ylabel="main loss", title="training of Ψ")
_ = ax.legend()

# %% [markdown]
# ## What we saw

# %%
medians = cosines.groupby("model", sort=False)[["translation", "rotation"]].median()
for name in runs:
    print("{}: median cosine {:.2f} (translation), {:.2f} (rotation)".format(name, *medians.loc[name]))

# %% [markdown]
# ## Try it
#
# - In the profile's `value.slope`, set `weight: 0` for dGrasp: its steps are then Base's, bit for bit.
# - Replace `negatives` by the preset `uniform`: the loss falls faster, and the grasps get worse.

# %%
versions()
