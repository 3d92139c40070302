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
# # Start here: teach the slope, not only the summit
#
# **Question.** What changes when a value function is taught *how to get to* a good action, and not only which action
# is good?
#
# > **Box.** Reproduces no figure of the paper; it shows the paper's idea in a plane, where it can be seen whole.
# > Needs nothing but this package. Takes a few seconds at every profile.
#
# dGrasp (Sóti, Huang, Wurll, Hein) is a policy that never outputs a grasp. It outputs a *score* for any grasp pose,
# and finds the grasp by
# climbing that score from thousands of random poses. If the score has a sharp summit on a flat, bumpy plain, climbers
# get stuck. So the
# paper adds a second teacher: along a demonstrated trajectory, the uphill direction should be the direction the
# demonstrator moved.

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt

from dgrasp.report.notebook import load_settings, registry_table, show_source, versions
from dgrasp.report.plane import climb, demonstrations, plot_landscape, train_value_in_plane
from dgrasp.value import slope_loss, value_loss

settings = load_settings(profile)

# %% [markdown]
# ## The result first
#
# Two small networks see the same demonstrations: one good action (the star) and random bad ones. The right one also
# sees the
# demonstrated *paths*. Before looking: where will the walkers that start in the corners go?

# %%
paths = demonstrations(n=24, seed=seed)
base = train_value_in_plane(paths, slope_weight=0.0, seed=seed)
dgrasp = train_value_in_plane(paths, slope_weight=1.0, seed=seed)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharex=True, sharey=True)
for ax, value, title in zip(axes, (base, dgrasp), ("main loss only", "main + auxiliary loss"), strict=True):
    plot_landscape(ax, value, climb(value, seed=seed), title)

# %% [markdown]
# Colour is the score, grey arrows are its slopes, lines are 40 walkers climbing with Adam from random places. The
# networks read a positional code of
# the action, as Ψ reads a NeRF's: it makes landscapes rough, and the main loss has no reason to smooth them where it
# was never asked. The auxiliary loss
# has. In numbers, over 200 walkers:

# %%
for name, value in (("main loss only", base), ("main + auxiliary loss", dgrasp)):
    ends = climb(value, seed=seed, walkers=200)[-1]
    arrived = (ends - paths[0, -1]).norm(dim=-1) < 0.1
    print(f"{name:22s} walkers that end within 0.1 of the star: {arrived.float().mean():.0%}")

# %% [markdown]
# ## The two losses
#
# The *main loss* (Eq. 2) is a softmax cross-entropy: the demonstrated action against sampled ones,
# $$\mathcal{L}_{main} = -\log \frac{e^{\Psi(p^0)}}{\sum_{i=0}^{N} e^{\Psi(p^i)}}.$$

# %%
show_source(value_loss)

# %% [markdown]
# The *auxiliary loss* (Eq. 4) compares the slope with the displacement to a later pose of the demonstration,
# $$\mathcal{L}_{aux} = -S_C\left(\Delta p_t, \nabla_p \Psi(p_t)\right).$$
# Only the direction counts, since Adam chooses the step length later. Training it needs the derivative of a
# derivative: the gradient, in the weights,
# of a loss on the gradient in the pose.

# %%
show_source(slope_loss)

# %% [markdown]
# ## The real thing
#
# In the paper the plane becomes SE(3), the network Ψ reads the activations of a NeRF Φ at 42 points around the
# gripper, and the walkers are
# 4,096 grasp poses. The notebooks follow the data:
#
# scene → views → Φ → queries → Ψ → slopes → pose → trial → table
#
# Every figure and table of the paper, where it is made, and at which profiles:

# %%
registry_table()

# %% [markdown]
# This run uses the following profile; every number below is in one YAML file, `dgrasp/profiles/<name>.yaml`, checked
# key by key.

# %%
print(f"{settings.name}: {settings.data.train_scenes} training scenes, {settings.nerf.training.steps} steps of Phi")
print(f"{settings.value.steps} steps of Psi, {settings.optimizer.starts} starting poses per plan")

# %% [markdown]
# ## Try it
#
# - Set `slope_weight=0.1`, or give fewer demonstrations: how little slope teaching is enough?
# - Replace the demonstrations by detours: the slopes follow whatever was demonstrated, wise or not.

# %%
versions()
