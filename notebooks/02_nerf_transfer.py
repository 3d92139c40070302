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
# > **At a glance.** Makes a figure of ours (rays); trains Φ, on which everything later stands. Needs notebook 1.
# > `smoke` takes about a minute on two cores, `laptop` about 17; with `published` Φ is read. Resumes from its last
# > checkpoint.
#
# Φ is an image-conditioned NeRF (neural radiance field): unlike the classic one it is not one network per scene. It
# reads the images, and answers for *any* scene: at a point seen from a direction, what colour and what density? It is
# trained for novel view synthesis on notebook 1's upright prisms alone, then frozen. Its inner activations are what
# the grasp value function reads.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.rendering import composite
from dgrasp.nerf.validation import novel_views
from dgrasp.report.answers import probe_answer, ray_answer, sharpness_answer
from dgrasp.report.figures.plots import plot_novel_view
from dgrasp.report.figures.probes import probes_of
from dgrasp.report.notebook import open_studio, show, show_source, summary_table, versions

studio = open_studio(profile, build, seed)
experiment, phi, held_out = studio.experiment, studio.phi, studio.held_out
run = experiment.nerf()

# %% [markdown]
# ## The result first: views that nobody took
#
# Scenes that training never saw. Φ gets the source images and renders what another camera would see, and how far away
# it is. (Where nothing stops a ray, beyond the table, depth means nothing: dark there is not near.) **Before you
# look:** which will be sharper, the table or the objects' edges?

# %%
sources = experiment.profile.nerf.training.source_views
for view in novel_views(phi, held_out, count=2, sources=sources, seed=seed):
    figure, axes = plt.subplots(1, sources + 3, figsize=(2.3 * (sources + 3), 2.1))
    plot_novel_view(axes, view)
    show(figure, "From the left: source images, the view that was held out, its rendering, and depths in metres.")

# %% [markdown]
# ## How good is it?
#
# Peak signal-to-noise ratio in decibels, and structural similarity, over views of held-out scenes: `psnr` over whole
# images, `psnr_objects` over the outlined pixels alone. The second is the honest one, since most of an image is table.

# %%
quality = {name: run.summary[name] for name in ("psnr", "psnr_objects", "ssim")}
summary_table(quality).style.format("{:.2f}")

# %%
print(sharpness_answer(quality["psnr"], quality["psnr_objects"]))

# %%
metrics = pd.DataFrame(run.metrics())
figure, ax = plt.subplots(figsize=(6, 2.6))
ax.plot(metrics["step"], metrics["loss"])
ax.set(xlabel="step", ylabel="coarse + fine MSE", yscale="log", title="training loss of Φ")
show(figure, "The training loss falls with the steps, on a logarithmic scale.")

# %% [markdown]
# ## How it is built
#
# Per source view: a feature sampled at the point's projection, the coded position and direction in that camera's
# frame, residual blocks; then the mean over views and more blocks. The *scene activations* are the mean and the
# outputs of the blocks behind it. Directions are rotated into the camera's frame, not translated. The paper has three
# blocks before the mean and three behind it; `smoke` and `laptop` have two and three, and code position and direction
# in the world's frame (REPRODUCING.md says why).

# %%
show_source(MVNeRF.activations)

# %% [markdown]
# ## Volume rendering, by hand
#
# A pixel's colour is a mean over samples along its ray. Sample $i$ has density $\sigma_i$ and stands for a piece of
# length $\delta_i$; it stops the share $1 - e^{-\sigma_i\delta_i}$ of the light that gets there, which is what the
# samples before it have let through:
# $$C = \sum_i w_i c_i, \qquad w_i = e^{-\sum_{j<i}\sigma_j\delta_j}\left(1 - e^{-\sigma_i\delta_i}\right).$$

# %%
depths, density, colour = torch.linspace(0.9, 1.1, 12), 40 * torch.rand(12), torch.rand(12, 3)
optical = density * (depths[1] - depths[0])

w = torch.exp(optical - optical.cumsum(0)) * (1 - torch.exp(-optical))
torch.testing.assert_close(composite(colour, density, depths).rgb, (w[:, None] * colour).sum(0))
print(f"{w.sum():.0%} of this ray's light is stopped; depth {(w * depths).sum() / w.sum():.2f} m")

# %% [markdown]
# ## What the activations know
#
# Ψ will never see an image; these activations are all it is told. Do they say where the objects are, *in space*? Φ was
# never asked: it learned from colours alone.
#
# A test with the least possible cleverness: a *linear* map from the activations at a point to "inside an object" (1)
# or not (0), fitted on training scenes and tried on held-out ones. Whatever a linear map can read, Ψ's first layer
# can. Objects stand on a table, so height alone tells something; therefore a second map that is given nothing but the
# point's positional code, as a control.

# %%
probes = probes_of(studio)
for name, auc in probes.auc.items():
    print(f"{name:18s} a point inside an object scores higher than one outside with probability {auc:.2f}")

# %% [markdown]
# Now walk along two rays of a camera that was not a source: through the object that was grasped in a held-out scene,
# and past all objects, to the table. **Before you look:** the probe is linear. Will it say where the object *ends*, or
# only where it begins?

# %%
studio.make("rays")

# %%
print(ray_answer(pd.read_csv(experiment.figures / "rays.csv")))

# %% [markdown]
# How to read it. *Top*: Φ's own density, and the share of the ray's light that is stopped on the way. *Middle*: the
# activations, as their three strongest components on this ray. In free air they drift, with waves of the positional
# code; where something begins, they change course together. *Bottom*: the linear probe on the activations, beside the
# one that knows the position alone.
#
# Why this is a good input for a grasp value: it is defined at **every point of space**, also where no object is; it
# is **smooth** in the point, so that it can be climbed; it changes **where surfaces are**, which is what a gripper's
# fingers must straddle; and it is made from a few **RGB images**, with no depth sensor, mesh or object model. And
# since the readout sees dozens of such points around the gripper, it needs no search for where the object is: it
# compares what is between the fingers with what is under them.

# %% [markdown]
# ## What we saw

# %%
steps = experiment.profile.nerf.training.steps
print(f"{steps} steps of training in {run.seconds / 60:.1f} minutes, where it was trained")
print(f"held-out views: {quality['psnr']:.1f} dB over whole images, {quality['psnr_objects']:.1f} dB over objects")
print(probe_answer(probes.auc))

# %% [markdown]
# ## Try it
#
# What does the second source view buy? A few seconds for each row: the same view from one source image, and from two.
# Expect little: how far things on a board are can be learned from one picture, and objects get a little sharper.

# %%
most = 2

figure, axes = plt.subplots(most, most + 3, figsize=(2.3 * (most + 3), 2.1 * most))
for row, count in zip(axes, range(1, most + 1), strict=True):
    (view,) = novel_views(phi, held_out, count=1, sources=count, seed=seed, beyond=most)
    plot_novel_view([*row[:count], *row[most:]], view)
    for unused in row[count:most]:
        unused.set_axis_off()
show(figure, f"A held-out view rendered from one to {most} source images, and its depths.")

# %%
versions()
