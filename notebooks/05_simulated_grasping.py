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
# # 5. Simulated grasping: Table 1
#
# **Question.** How often do the eight policies really lift something?
#
# > **Box.** Makes Table 1. Needs notebooks 1 to 4. Smoke a few minutes on two cores. Resumes scene by scene.
#
# Each plan is executed by the simulated arm. Success is the paper's: the object is enveloped by the fingers and was
# lifted. All policies get
# the same scenes and the same starting poses, so that comparisons are paired (by scene: after the first attempt its
# state
# depends on what the policy did).

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import pandas as pd

from dgrasp.evaluation import paired_comparison, read_trials, success_rates
from dgrasp.experiment import Experiment
from dgrasp.policy import value_ranks_success
from dgrasp.report.notebook import versions
from dgrasp.report.outputs import save_output
from dgrasp.report.plots import plot_success_rates, plot_table
from dgrasp.report.tables import printable, table_1

experiment = Experiment.at(profile, build, seed)
run = experiment.evaluation()
trials = read_trials(run)
tasks = list(experiment.profile.evaluation.tasks)

# %% [markdown]
# ## The result first: Table 1
#
# Our rate, its 95 % Wilson interval and the number of attempts, beside the paper's rate. The first row is the
# predecessor's policy, which only the paper reports.

# %%
rates = success_rates(trials, experiment.profile.evaluation)
rows = table_1(rates)
table = printable(rows, tasks)
figure, ax = plt.subplots(figsize=(11, 3))
plot_table(ax, table, f"Table 1: grasp success rates (profile {experiment.profile.name})")
save_output(
    "tab01",
    figure,
    rows,
    experiment.figures,
    profile=experiment.profile.name,
    runs=experiment.used() | {"evaluation": run},
    seed=seed,
)
table

# %% [markdown]
# ## The same as a picture
#
# Dots with intervals are ours (blue Base, red dGrasp), grey bars the paper's.

# %%
figure, ax = plt.subplots(figsize=(8, 3))
plot_success_rates(ax, rows[rows["n"].notna()], tasks)

# %% [markdown]
# ## Does teaching slopes help?
#
# dGrasp against Base with the same representation and schedule, on the same scenes with the same starts: in how many
# attempts did only one of the two succeed? (Exact McNemar test; attempts within a scene
# depend on each other, so read the p-values as a guide.)

# %%
pairs = [(f"dgrasp_{kind}", f"base_{kind}") for kind in ("quat_seq", "quat_sync", "6d_seq", "6d_sync")]
pairs = [pair for pair in pairs if set(pair) <= set(trials["policy"])]
comparison = pd.DataFrame(
    [{"pair": f"{a} / {b}", "task": t} | paired_comparison(trials, a, b, t) for a, b in pairs for t in tasks]
)
comparison.round(3)

# %% [markdown]
# ## Why grasps fail
#
# Outcomes by policy: unreachable (no joint angles, or none without a collision), collision on the way, missed,
# slipped, dropped.

# %%
trials.pivot_table(index="policy", columns="outcome", values="attempt", aggfunc="count", fill_value=0, sort=False)

# %% [markdown]
# ## Does the policy know when it will fail?
#
# The value of the executed candidate against what became of it: `auc` is the probability that a success had a higher
# value than a failure of the same policy. One is a perfect forecast, one half is none; empty where all ended alike.

# %%
value_ranks_success(trials.dropna(subset=["value"])).round(3)

# %% [markdown]
# ## What we saw

# %%
ours = rates.groupby("task", sort=False).agg(min=("rate", "min"), max=("rate", "max"), n=("n", "first"))
for task, row in ours.iterrows():
    print(f"{task}: from {row['min']:.2f} to {row['max']:.2f} over the policies, {row['n']:.0f} attempts each")
print("models:", "; ".join(sorted(set(trials["models"]))))

# %% [markdown]
# What the numbers may be read for depends on the profile: smoke trains for minutes and attempts a few grasps, and its
# intervals say so. The paper's statements
# can only be judged at `laptop` and above.
#
# ## Try it
#
# - `trials` has one row per attempt: does `value` rank success within one task as well as over all of them?
# - Compare `seq` with `sync`: the paper found no trend.

# %%
versions()
