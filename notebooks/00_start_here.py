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
# > **At a glance.** Reproduces no figure of the paper; it shows the paper's idea in a plane, where it can be seen
# > whole, and then on another problem of yours or ours. Needs nothing but this package. Takes half a minute at every
# > profile (so the scales of the experiment are called).
#
# dGrasp (Sóti, Huang, Wurll, Hein) is a policy that never outputs a grasp. It outputs a *score* for any grasp pose,
# and finds the grasp by climbing that score from thousands of random poses. If the score has a sharp summit on a
# flat, bumpy plain, climbers get stuck. So the paper adds a second teacher: along a demonstrated trajectory, the
# uphill direction should be the direction the demonstrator moved.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import torch

from dgrasp import grasp_ranking_loss, slope_loss
from dgrasp.examples import peg_in_hole, plane
from dgrasp.report.answers import idea_answer, learning_answer, parts_answer
from dgrasp.report.figures.examples import TAUGHT, landscapes, parts_found, pegs
from dgrasp.report.figures.learning import learned, when
from dgrasp.report.notebook import open_studio, registry_table, show, show_source, versions

studio = open_studio(profile, build, seed)
settings = studio.experiment.profile

# %% [markdown]
# ## The result first
#
# Two small networks see the same demonstrations: one good action (the star) and random bad ones. The right one also
# sees the demonstrated *paths*. **Before you look:** 40 walkers start at random and climb. Where will those end that
# start in the corners?

# %%
studio.make("plane")

# %% [markdown]
# The networks read a positional code of the action (sines and cosines of rising frequency), as the paper's networks do
# of points in space. It makes landscapes rough, and the main loss has no reason to smooth them where it was never
# asked. The auxiliary loss has. So in the left picture walkers from the corners, and from nearly everywhere else, stay
# about where they began.
#
# ## The two losses, by hand
#
# The *main loss* (Eq. 2) is a softmax cross-entropy: the demonstrated action $p^0$ against sampled ones $p^i$,
# $$\mathcal{L}_{main} = -\log \frac{e^{\Psi(p^0)}}{\sum_{i=0}^{N} e^{\Psi(p^i)}}.$$

# %%
base, dgrasp = landscapes(studio).values()
paths = plane.demonstrations(n=24, seed=seed)
actions = torch.cat([paths[:1, -1], torch.rand(63, 2) * 2 - 1])  # the demonstrated one first

scores = base(actions)
by_hand = torch.logsumexp(scores, 0) - scores[0]
torch.testing.assert_close(grasp_ranking_loss(scores), by_hand)

# %% [markdown]
# The *auxiliary loss* (Eq. 4) compares the slope with the displacement to a later pose of the demonstration,
# $$\mathcal{L}_{aux} = -S_C\left(\Delta p_t, \nabla_p \Psi(p_t)\right).$$
# Only the direction counts, since Adam chooses the step length later. Training it needs the derivative of a
# derivative: the gradient, in the weights, of a loss on the gradient in the pose.

# %%
points, targets = paths[:, 8].clone().requires_grad_(), paths[:, 10]

slope = torch.autograd.grad(dgrasp(points).sum(), points)[0]
by_hand = -torch.cosine_similarity(targets - points, slope).mean()
torch.testing.assert_close(slope_loss(dgrasp, points.detach(), targets), by_hand, atol=1e-4, rtol=1e-4)
print(f"auxiliary loss of the right network: {by_hand:.2f} (best: -1)")

# %% [markdown]
# ## While it learns
#
# Once more the two trainings from above, each picture after the same steps of both. **Before you look:** the main
# loss is low as soon as the star's summit stands out. What becomes of the plain around it after that, on the left and
# on the right?

# %%
studio.make("learning")

# %%
print(learning_answer({losses: when(learned(studio).arrived, losses) for losses in TAUGHT}))

# %% [markdown]
# On the left the plain stays as rough as the positional code makes it: nothing in the main loss asks for more. On the
# right every part of it that a demonstration has crossed turns towards the star.
#
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
# Here is the same with real poses: **a peg that has to find its hole**, from twelve demonstrations which turn it on
# the way to a place in front of the hole and then push straight in. The network is small and sees the pose alone.
# Both losses and the training loop fit in a page:

# %%
show_source(peg_in_hole.train_insertion_value)

# %% [markdown]
# Then 500 pegs climb what was learnt, from random poses all over the workspace, and this is all there is to it:

# %%
show_source(peg_in_hole.insert)

# %% [markdown]
# **Before you look:** which part is harder without slopes, to turn the peg or to bring it to the hole?

# %%
studio.make("peg_in_hole")

# %%
print(parts_answer(parts_found(studio)))

# %% [markdown]
# Be fair to the left picture: some pegs start near the hole. With enough starts a bad landscape still yields one good
# pose, which is how the paper's Base policies succeed at all. Slopes decide how many starts you need.

# %%
for name, found in pegs(studio).items():
    print(f"{name:22s} the best-scored peg of all is in the hole: {bool(peg_in_hole.inserted(found[-1, 0]))}")

# %% [markdown]
# ## The real thing
#
# In the paper the plane becomes SE(3), the network Ψ reads the activations of a NeRF Φ at 42 points around the
# gripper, and the walkers are 4,096 grasp poses. The notebooks follow the data:
#
# scene → views → Φ → queries → Ψ → slopes → pose → trial → table
#
# Every figure and table, the paper's and ours, and the notebook that makes it:

# %%
registry_table()

# %% [markdown]
# This run uses the following profile; its numbers are in one YAML file, `dgrasp/experiment/profiles/<name>.yaml`.

# %%
print(f"{settings.name}: {settings.data.train_scenes} training scenes, {settings.nerf.training.steps} steps of Phi")
print(f"{settings.value.steps} steps of Psi, {settings.optimizer.n_starts} starting poses per plan")

# %% [markdown]
# ## What it costs, and what more would cost
#
# Time and memory at the sizes of the profile `laptop`. **Before you look:** twice the machines, half the time: up to
# how many machines?

# %%
studio.make("growth")

# %%
studio.make("growth_costs")

# %% [markdown]
# Scenes, poses and pixels cost in proportion once there are many of them. Workers divide the time until they wait for
# the folder that they share. Only the first three panels were measured; the last one is a simulation, whose
# assumptions stand below it.
#
# ## What we saw

# %%
ends = {name: plane.climb(value, seed, walkers=200)[-1] for name, value in landscapes(studio).items()}
arrived = {name: float(((p - plane.GOOD_ACTION).norm(dim=-1) < 0.1).float().mean()) for name, p in ends.items()}
print(idea_answer(arrived))

# %% [markdown]
# ## Try it
#
# A tenth of the slope teaching: is that enough? It takes three seconds. Expect little: the plain stays nearly as rough
# as without. Then try `0.3` and `0.5`, to see where it turns, or fewer demonstrations.

# %%
import matplotlib.pyplot as plt

weight, demonstrations = 0.1, 24

value = plane.train_value_in_plane(plane.demonstrations(demonstrations, seed), weight, seed)
figure, ax = plt.subplots(figsize=(4.2, 4.2))
plane.plot_landscape(ax, value, plane.climb(value, seed), f"weight {weight:g}")
end = plane.climb(value, seed, walkers=200)[-1]
print(f"{((end - plane.GOOD_ACTION).norm(dim=-1) < 0.1).float().mean():.0%} of 200 walkers arrive")
show(figure, f"The landscape of the plane with slopes taught at weight {weight:g}, and 40 walkers.")

# %%
versions()
