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
# **Question.** What changes when a value function is taught *how to get to* a good action, and not only which action is
# good?
#
# > **Box.** Reproduces no figure of the paper; it shows the paper's idea in a plane, where it can be seen whole, and
# > then on another problem of yours or ours. Needs nothing but this package. Takes seconds at every profile.
#
# dGrasp (Sóti, Huang, Wurll, Hein) is a policy that never outputs a grasp. It outputs a *score* for any grasp pose, and
# finds the grasp by climbing that score from thousands of random poses. If the score has a sharp summit on a flat,
# bumpy plain, climbers get stuck. So the paper adds a second teacher: along a demonstrated trajectory, the uphill
# direction should be the direction the demonstrator moved.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from dgrasp import grasp_ranking_loss, slope_loss
from dgrasp.examples import peg_in_hole
from dgrasp.examples.plane import climb, demonstrations, plot_landscape, train_value_in_plane
from dgrasp.report.notebook import load_settings, registry_table, show_source, versions
from dgrasp.report.outputs import save_output

settings = load_settings(profile)

# %% [markdown]
# ## The result first
#
# Two small networks see the same demonstrations: one good action (the star) and random bad ones. The right one also
# sees the demonstrated *paths*. Before looking: where will the walkers that start in the corners go?

# %%
paths = demonstrations(n=24, seed=seed)
base = train_value_in_plane(paths, slope_weight=0.0, seed=seed)
dgrasp = train_value_in_plane(paths, slope_weight=1.0, seed=seed)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharex=True, sharey=True)
for ax, value, title in zip(axes, (base, dgrasp), ("main loss only", "main + auxiliary loss"), strict=True):
    plot_landscape(ax, value, climb(value, seed=seed), title)

# %% [markdown]
# Colour is the score (dark is high), grey arrows are its slopes, lines are 40 walkers climbing with Adam from random
# places. The networks read a positional code of the action, as Ψ reads a NeRF's: it makes landscapes rough, and the
# main loss has no reason to smooth them where it was never asked. The auxiliary loss has. In numbers, over 200 walkers:

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
show_source(grasp_ranking_loss)

# %% [markdown]
# The *auxiliary loss* (Eq. 4) compares the slope with the displacement to a later pose of the demonstration,
# $$\mathcal{L}_{aux} = -S_C\left(\Delta p_t, \nabla_p \Psi(p_t)\right).$$
# Only the direction counts, since Adam chooses the step length later. Training it needs the derivative of a derivative:
# the gradient, in the weights, of a loss on the gradient in the pose.

# %%
show_source(slope_loss)

# %% [markdown]
# ## For other people's problems
#
# Nothing above knows of grasps. To use it elsewhere you bring a differentiable score, one number per action, and
# trajectories that lead somewhere good:
#
# - **`slope_loss(value, points, targets)`** for any space of d numbers. `value` is a smooth network, (n, d) → (n,);
#   `points` and `targets` are (n, d) in any unit, a target being a later point of the same trajectory. Out comes a
#   scalar, −1 at best, whose `backward` reaches the network's weights.
# - **`slope_loss(value, poses, targets, "quat")`** for poses. `value` takes matrices, (n, 4, 4) → (n,); `poses` and
#   `targets` are (n, 4, 4) in metres. −2 at best, one for translation and one for rotation (`"6d"`: −3).
# - **`optimize_poses(value, starts, config, bounds=(low, high))`** takes the same `value` and `starts` of (n, 4, 4), in
#   metres. Out come poses and scores, the best first, and with `record=True` all paths.
#
# The plane needed the first and the third: its walkers are poses of which the value reads two numbers. Here is the same
# with real poses: **a peg that has to find its hole**, from twelve demonstrations which turn it on the way to a
# place in front of the hole and then push straight in. The network is small and sees the pose alone. Both losses and
# the training loop fit in a page:

# %%
show_source(peg_in_hole.train_insertion_value)

# %% [markdown]
# Then 500 pegs climb what was learnt, from random poses all over the box, and this is all there is to it:

# %%
show_source(peg_in_hole.insert)

# %%
demos = peg_in_hole.demonstrations(12, seed)
pegs = {
    "main loss only": peg_in_hole.insert(peg_in_hole.train_insertion_value(demos, slope_weight=0.0, seed=seed), seed),
    "main + auxiliary loss": peg_in_hole.insert(
        peg_in_hole.train_insertion_value(demos, slope_weight=1.0, seed=seed), seed
    ),
}
for name, found in pegs.items():
    share = peg_in_hole.inserted(found[-1]).float().mean()
    print(f"{name:22s} pegs that end within 2 cm and 15 degrees of the hole: {share:.0%}")

# %% [markdown]
# Seen from the side, the starts at the far ends of the lines; the thick stroke is where a peg ends and how it points.
# Both networks turn pegs the right way; only one tells them where to go.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, (name, found) in zip(axes, pegs.items(), strict=True):
    peg_in_hole.plot_insertion(ax, found[:, :: len(found[0]) // 60], name)
data = pd.concat([peg_in_hole.insertion_table(found, name) for name, found in pegs.items()])
save_output("peg_in_hole", figure, data, Path(build) / "figures", profile=settings.name, runs={}, seed=seed)

# %% [markdown]
# Be fair to the left picture: of 500 pegs some start near the hole, and the best-scored one of them does dock. With
# enough starts a bad landscape still yields one good pose, which is how the paper's Base policies succeed at all.
# Slopes decide how many starts you need.

# %%
for name, found in pegs.items():
    print(f"{name:22s} the best-scored peg of all is in the hole: {bool(peg_in_hole.inserted(found[-1, 0]))}")

# %% [markdown]
# ## The real thing
#
# In the paper the plane becomes SE(3), the network Ψ reads the activations of a NeRF Φ at 42 points around the gripper,
# and the walkers are 4,096 grasp poses. The notebooks follow the data:
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
print(f"{settings.value.steps} steps of Psi, {settings.optimizer.n_starts} starting poses per plan")

# %% [markdown]
# ## Try it
#
# - Set `slope_weight=0.1`, or give fewer demonstrations: how little slope teaching is enough?
# - Replace the demonstrations by detours: the slopes follow whatever was demonstrated, wise or not.
# - Give the pegs 3 demonstrations, or 30. Let them climb in six numbers of rotation: `"6d"` in `slope_loss` and
#   `representation="6d"` in `optimize_poses`.

# %%
versions()
