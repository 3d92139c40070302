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
# # 4. Pose optimization: thousands of climbers
#
# **Question.** Do candidates find the grasp from anywhere, and does teaching slopes make more of them arrive?
#
# > **Box.** Makes Figures 1, 4, 5 and 6, and tunes the eight policies. Needs notebooks 1 to 3. Smoke a minute or two
# > on two cores.
#
# A policy is a trained value, a rotation representation (quaternion or 6D) and a schedule (translation first and then
# rotation, or both at once). That makes eight
# policies from three models. Learning rates, decays and steps of each are tuned on validation scenes.

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dgrasp.data import DemonstrationSet
from dgrasp.experiment import Experiment
from dgrasp.policy import optimize_poses
from dgrasp.report.climbs import record_climb
from dgrasp.report.notebook import show_source, versions
from dgrasp.report.outputs import save_output
from dgrasp.report.plots import plot_demonstration, plot_final_candidates, plot_optimization, policy_colour
from dgrasp.report.scenes import picture

experiment = Experiment.at(profile, build, seed)
tuned = experiment.tuning()
held_out = DemonstrationSet(experiment.demonstrations(), split="validation")

# %% [markdown]
# ## The result first: one plan
#
# Candidates start at random all over the workspace (blue), climb the landscape of dGrasp (to green), and the five
# best are red.

# %%
climb = record_climb(experiment, "dgrasp_quat_sync", "simple", scene=0, split="validation")
figure, ax = plt.subplots(figsize=(5, 3.8))
plot_optimization(ax, climb.views, climb.best_paths, title="dgrasp_quat_sync, a validation scene")
print(f"best value {climb.scores[0]:.2f}; TCP at {np.round(climb.finals[0, :3, 3], 3)} m")

# %% [markdown]
# ## The optimizer
#
# Adam moves all candidates at once. After each step quaternions are normalised, 6D rotations orthonormalised, and
# translations clipped to the workspace. It works
# for any differentiable function of a pose.

# %%
show_source(optimize_poses)

# %% [markdown]
# ## Eight policies, tuned
#
# For each policy one study: initial learning rates, decay rates and number of steps; success is measured by executing
# grasps in simulation on
# validation scenes, never on test scenes (Sec. 3.3, 4.2).

# %%
searched = ["steps", "translation_rate", "rotation_rate", "translation_decay", "rotation_decay"]
table = pd.DataFrame({name: {key: run.summary["optimizer"][key] for key in searched} for name, run in tuned.items()}).T
table.assign(
    trials=[run.summary["trials"] for run in tuned.values()], success=[r.summary["success"] for r in tuned.values()]
)

# %% [markdown]
# ## Figure 1: a demonstration, and where candidates end

# %%
columns = ("simple", "clutter", "novel")
ends = {(p, t): record_climb(experiment, p, t, scene=0) for p in ("base_quat_seq", "dgrasp_quat_sync") for t in columns}
demo = held_out[0]
figure, axes = plt.subplots(2, 4, figsize=(11, 4.4))
axes[1, 0].set_axis_off()
plot_demonstration(
    axes[0, 0], picture(experiment.profile.cell, demo.state), np.asarray(demo.Ts_world_tcp), title="grasp demonstration"
)
for (policy, task), climb in ends.items():
    ax = axes[int(policy.startswith("dgrasp")), 1 + columns.index(task)]
    plot_final_candidates(ax, climb.views, climb.finals[:30], title=f"{policy}\n{task}")
data = pd.concat([climb.table(policy, task) for (policy, task), climb in ends.items()])
save_output(
    "fig01", figure, data, experiment.figures, profile=experiment.profile.name, runs=experiment.used(), seed=seed
)

# %% [markdown]
# ## Figures 4 to 6: optimization paths
#
# The paper shows its best policies; which those are depends on the numbers, so here the same names are used at every
# profile: Figure 4 (simple) Base
# quat-seq and dGrasp quat-sync, Figure 5 (clutter) Base quat-seq and dGrasp 6d-seq, Figure 6 (novel objects) Base
# quat-seq, Base 6d-seq and dGrasp 6d-seq.

# %%
panels = {
    "fig04": ("simple", ("base_quat_seq", "dgrasp_quat_sync")),
    "fig05": ("clutter", ("base_quat_seq", "dgrasp_6d_seq")),
    "fig06": ("novel", ("base_quat_seq", "base_6d_seq", "dgrasp_6d_seq")),
}

# %%
for id, (task, policies) in panels.items():
    figure, axes = plt.subplots(1, len(policies), figsize=(4.2 * len(policies), 3.5))
    climbs = {policy: record_climb(experiment, policy, task, scene=0) for policy in policies}
    for ax, (policy, climb) in zip(axes, climbs.items(), strict=True):
        plot_optimization(ax, climb.views, climb.best_paths, title=f"{policy}, {task}")
    data = pd.concat([climb.table(policy, task) for policy, climb in climbs.items()])
    save_output(
        id, figure, data, experiment.figures, profile=experiment.profile.name, runs=experiment.used(), seed=seed
    )

# %% [markdown]
# ## "More stable convergence", as a number
#
# Of the candidates that climb, which share is close to a valid grasp (2 cm, 15 degrees, up to the gripper's half
# turn) after
# each step? Valid grasps are the oracle's, on
# validation scenes of the simple task.

# %%
figure, ax = plt.subplots(figsize=(6, 3))
arrived = {}
for policy in ("base_quat_sync", "dgrasp_quat_sync", "base_6d_sync", "dgrasp_6d_sync"):
    share = np.mean(
        [record_climb(experiment, policy, "simple", scene=i, split="validation").arrived for i in range(4)], axis=0
    )
    ax.plot(share, color=policy_colour(policy), ls="-" if "quat" in policy else "--", label=policy)
    arrived[policy] = share[-1]
ax.set(xlabel="step", ylabel="share near a valid grasp", ylim=(0, None))
_ = ax.legend()

# %% [markdown]
# ## What we saw

# %%
print(", ".join(f"{policy}: {share:.1%} of candidates arrive" for policy, share in arrived.items()))

# %% [markdown]
# ## Try it
#
# - Give `record_climb` another scene, or a policy with the other schedule.
# - Which candidates of Base stop, and where? Compare with dGrasp on the same starts: they are the same poses.

# %%
versions()
