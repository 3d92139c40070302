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
# > **At a glance.** Makes Figure 2, and trains Ψ three times: Base (main loss), dGrasp with quaternions and with 6D
# > rotations, which are six numbers (main + auxiliary loss). Needs notebooks 1 and 2. `smoke` takes about a minute on
# > two cores, `laptop` about 25; with `published` the models are read. Resumes from its last checkpoint.
#
# Ψ reads the frozen Φ at points around the gripper (42 in the paper; fewer at smoke and laptop) and returns one
# number. Only its small *GraspReadout* is trained. All models see the same demonstrations, views and sampled poses,
# in the same order, from the same initial weights: only the loss differs.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from dgrasp.data.imports.check import FORMATS
from dgrasp.experiment.round_trip import differences, imported, lifted, out_and_back, splits, trained_shortly
from dgrasp.poses import representation
from dgrasp.report.answers import chance_answer, slope_answer
from dgrasp.report.figures.losses import cosines
from dgrasp.report.figures.plots import plot_queries, policy_colour
from dgrasp.report.figures.second_order import second_order_table
from dgrasp.report.names import model_label
from dgrasp.report.notebook import open_studio, show, show_source, versions
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss, value_gradient
from dgrasp.value.queries import QueryPoints
from dgrasp.value.samples import around_trajectory

studio = open_studio(profile, build, seed)
experiment, values, held_out = studio.experiment, studio.values, studio.held_out
runs = experiment.values()

# %% [markdown]
# ## The result first: do the slopes point where the demonstrator went?
#
# On held-out trajectories, perturbed as in training: the cosine between the slope and the displacement to the next
# pose. One is perfect, zero is chance. **Before you look:** Base was never told about slopes. Is it at chance?

# %%
studio.make("cosines")

# %%
medians = cosines(studio).groupby("model", sort=False)[["translation", "rotation"]].median()
medians.rename(index=model_label).round(3)

# %%
print(chance_answer(medians.loc["base"]))

# %% [markdown]
# The further right a curve, the better: a curve through zero at one half is chance. Each model is judged in the
# coordinates it was trained in, Base in quaternions, and all of them at the same poses of the same held-out scenes.

# %% [markdown]
# ## Where Ψ looks
#
# A pose becomes query points with view directions in the frame of the TCP: two lines along the approach (purple), four
# looking inwards from the fingers (green; grey bars: the open fingers). On the left the paper's 42, on the right those
# of this profile.

# %%
figure = plt.figure(figsize=(9, 3.8))
in_use = next(iter(values.values())).queries
for place, (whose, queries) in enumerate({"the paper": QueryPoints.from_config(), "ours": in_use}.items(), start=1):
    ax = figure.add_subplot(1, 2, place, projection="3d")
    opening = experiment.profile.cell.model.hand.opening
    plot_queries(
        ax, queries.points.numpy(), queries.directions.numpy(), f"{len(queries)} query points ({whose})", opening
    )
show(figure, "Query points between and beside the fingers with their view directions, the paper's and ours.")

# %% [markdown]
# ## The main loss
#
# One demonstrated grasp $p^0$ against sampled poses $p^i$ (Eq. 2):
# $$\mathcal{L}_{main} = -\log \frac{e^{\Psi(p^0)}}{\sum_{i=0}^{N} e^{\Psi(p^i)}}.$$
# It says where the summit is, and nothing of the way there. Uniform negatives alone are too easy, so a stated share of
# them lies close to the grasp; and where the profile asks for it (`value.negatives.blocked_share`), another share are
# grasps of the same scene that the open hand does not reach past a neighbour.

# %%
demo = held_out[0]
trajectory = torch.as_tensor(demo.Ts_world_tcp, dtype=torch.get_default_dtype())
score = values["base"].bind(values["base"].encode(demo.views[: experiment.profile.value.views]))
poses = trajectory.flip(0)  # the grasp first, then the poses on the way to it

psi = score(poses).detach()
torch.testing.assert_close(grasp_ranking_loss(psi), torch.logsumexp(psi, 0) - psi[0])
print(f"main loss of Base, the grasp against {len(poses) - 1} poses of its own way: {psi.logsumexp(0) - psi[0]:.2f}")

# %% [markdown]
# ## The auxiliary loss
#
# Poses $p_t$ around the trajectory, each with the displacement $\Delta p_t$ to a later pose, compared with the slope
# (Eq. 4), where $S_C$ is the cosine:
# $$\mathcal{L}_{aux} = -S_C\left(\Delta p_t, \nabla_p \Psi(p_t)\right).$$
# The cosine is taken for translation and rotation each, so that metres and radians need no exchange rate. Quaternions
# $q$ and $-q$ are the same rotation, so the nearer one is the target.

# %%
rep, generator = representation("quat"), torch.Generator().manual_seed(seed)
T, T_later = around_trajectory(trajectory, experiment.profile.value.slope, generator)
slope, way = value_gradient(score, T, rep), rep.displacement(rep.from_matrix(T), rep.from_matrix(T_later))

cosine = [torch.cosine_similarity(slope[:, part], way[:, part]) for part in (slice(0, 3), slice(3, 7))]
torch.testing.assert_close(slope_loss(score, T, T_later, "quat"), -sum(cosine).mean(), atol=1e-3, rtol=1e-3)
print(f"auxiliary loss of Base on this demonstration: {-sum(cosine).mean():.2f} (best: -2)")

# %% [markdown]
# ## Figure 2: what the two losses supervise
#
# Left, one grasp among sampled poses (uniform, near and turned ones). Right, perturbed poses along a held-out
# trajectory: where the demonstrator moved, and where Base and dGrasp point. **Before you look:** which of the two
# points down to the object from far above? One picture proves nothing; the curves above are of all poses.

# %%
studio.make("fig02")

# %% [markdown]
# ## Second order, at a lower price
#
# Training on slopes means differentiating a derivative: $\mathcal{L}_{aux}$ is a function of $\nabla_p\Psi$, and its
# gradient in the weights $\theta$ is wanted (Eq. 5). Done plainly (`create_graph=True`, then `backward()`), autograd
# records the backward pass through Φ and goes through it again, down to the poses. This is why the paper cut its poses
# from 512 to 64.
#
# But Φ is frozen. With activations $a=\Phi(p)$, their Jacobian $J=\partial a/\partial p$ and the readout's gradient
# $g(\theta)=\partial\Psi/\partial a$, the slope is $\nabla_p\Psi = J^\top g(\theta)$, and **the weights enter through
# $g$ alone**. With $v=\partial\mathcal{L}_{aux}/\partial\nabla_p\Psi$ the chain rule says
# $$\frac{d\mathcal{L}_{aux}}{d\theta} = v^\top J^\top \frac{dg}{d\theta}
# = \frac{d}{d\theta}\left\langle J v,\; g(\theta)\right\rangle .$$ So: one product with $J^\top$ (the slope), one with
# $J$ (the vector $Jv$, a constant from here on), and second order through the small readout only. Nothing is
# approximated; Φ's second derivative is never formed.

# %%
show_source(exact_slope_loss)

# %% [markdown]
# What that is worth on this machine, now, for one observation, forward and backward (seconds; the ratios depend less
# on the machine). `main` is the main loss at as many poses, `plain` and `exact` are the auxiliary loss by the two
# schemes, `difference` the relative distance of their gradients: none, or rounding. Here `plain` runs on the same
# fast Φ as `exact`, which leaves little to save but Φ's second derivative; beside ordinary operations throughout, at
# the paper's sizes, see `make bench` (`aux_over_plain`).

# %%
repeats = 1 if experiment.profile.name == "smoke" else 3
price = second_order_table(next(iter(values.values())), held_out[0], experiment.profile.value, seed, repeats=repeats)
price.set_index("poses").T.style.format("{:.3g}")

# %% [markdown]
# The poses of the two losses need not be the same. The paper used one set of 64 for both; keeping 512 for the main
# loss and 64 for the auxiliary one, a training step costs this many times one without any slopes:

# %%
few, many = price.set_index("poses").loc[[64, 512]].to_dict("records")
for name, cost in {
    "64 poses, exact": few["exact"],
    "512 poses, exact": many["exact"],
    "512 poses, plain": many["plain"],
}.items():
    print(f"auxiliary loss with {name}: a step costs {1 + cost / many['main']:.2f} times the main loss at 512 poses")

# %% [markdown]
# ## Learning curves

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
for name, run in runs.items():
    metrics = pd.DataFrame(run.metrics())
    for ax, loss in zip(axes, ("main", "aux"), strict=True):
        if loss in metrics and (logged := metrics.dropna(subset=[loss])).size:
            style = {"color": policy_colour(name), "ls": "--" if "6d" in name else "-"}
            ax.plot(logged["step"], logged[loss], ".", ms=2, alpha=0.4, color=style["color"])
            ax.plot(logged["step"], logged[loss].rolling(5, min_periods=1).mean(), label=model_label(name), **style)
for ax, title in zip(axes, ("main loss", "auxiliary loss (best: -2, 6D -3)"), strict=True):
    ax.set(xlabel="step", ylabel="loss (mean of 5 logged steps)", title=title)
    ax.legend()
show(figure, "Main and auxiliary loss against the training step, one curve for each model.")

# %% [markdown]
# Dots are single steps as they are logged, lines run through five of them. Look how far the auxiliary loss gets from
# its best: slopes are improved, and not solved.

# %% [markdown]
# ## Demonstrations from elsewhere
#
# A laboratory's recordings come in other formats than ours. Ours go out into three of them and are read back
# (`dgrasp import`; the last two need the extra `export`). The largest difference to the originals, in grey values of
# the images, pixels of K, metres of poses:

# %%
place = Path(tempfile.mkdtemp())
few, rows = splits(experiment.example_scenes(), most=6), []
for form in FORMATS:
    try:
        rows.append(differences(few, form, out_and_back(few, form, place / "few")[0]))
    except ImportError as missing:
        print(f"{form}: {missing}")
pd.DataFrame(rows).style.format("{:.2g}")

# %% [markdown]
# And what is trained on them? dGrasp's Ψ twice, for seconds: on the originals, and on all of them after the way
# through plain folders. Then each grasps in the same validation scenes.

# %%
originals = experiment.example_scenes()
steps, scenes = (60, 20) if experiment.profile.name != "smoke" else (4, 2)
episodes, said = out_and_back(splits(originals), "folder", place)
print(*said, sep="\n")
back = imported(experiment, episodes, place)
for name, demonstrations in {"the originals": originals, "the import": back}.items():
    trained = trained_shortly(experiment, demonstrations, place, steps)
    last = trained.metrics()[-1]
    print(
        f"on {name}: {lifted(experiment, trained, scenes)} of {scenes} lifted; the grasp ranked first in "
        f"{last['val_top1']:.0%}, cosines {last['val_cos_translation']:.3f} and {last['val_cos_rotation']:.3f}"
    )

# %% [markdown]
# That first attempts on simple scenes succeed after so few steps shows how easy these are (notebook 5: the hard ones
# are the last objects of a scene, piles, and other objects); what is tested here is that both lines are equal. Not the
# same bits: a quaternion rounds a rotation's last digits. [Your own
# demonstrations](../OWN_DEMONSTRATIONS.md) says what each format must hold.
#
# ## What we saw

# %%
print(slope_answer(medians))

# %% [markdown]
# ## Try it
#
# Do slopes point the right way along trajectories, and beside them? Seconds. Training perturbs poses by up to 2 cm in
# each direction. Expect dGrasp's cosines to fall the further aside the poses are, and Base's to stay low. Few
# trajectories may lie far from the medians above, so take more of them before you conclude.

# %%
from dgrasp.policy.diagnostics import slope_agreement

aside, trajectories = 0.05, 8  # metres in x; how many demonstrations

for name, value in values.items():
    cosines_at = {0.0: [], aside: []}
    for k in np.random.default_rng(seed).choice(len(held_out), min(trajectories, len(held_out)), replace=False):
        demo = held_out[int(k)]
        bound = value.bind(value.encode(demo.views[: experiment.profile.value.views]))
        for offset, found in cosines_at.items():
            way = torch.as_tensor(demo.Ts_world_tcp, dtype=torch.get_default_dtype())
            T, T_later = around_trajectory(way, experiment.profile.value.slope, torch.Generator().manual_seed(seed))
            T[:, 0, 3] += offset
            found.append(slope_agreement(bound, T, T_later, "quat")[:, 0])
    here, there = (torch.cat(found).median() for found in cosines_at.values())
    print(
        f"{model_label(name)}: median cosine of translation {here:.2f} there, {there:.2f} at {100 * aside:g} cm aside"
    )

# %%
versions()
