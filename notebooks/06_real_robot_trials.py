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
# # 6. Real-robot trials: what is on record, and what is not
#
# **Question.** Does the policy transfer to a real UR10 without ever having seen a real image?
#
# > **Box.** Table 2 and Figure 7. **No robot moved for this notebook.** The paper's numbers are the paper's; our
# > columns stay empty until
# > trials are on record. Needs notebooks 1 to 4. Takes seconds.
#
# The paper presents ten everyday objects five times each. Two choices make real grasps safer: only poses that point
# downwards are considered, and the chosen
# pose is shifted 1 cm along its approach axis against calibration errors (Sec. 5.2).

# %% tags=["parameters"]
profile = "smoke"
build = "../build/smoke"
seed = 0

# %%
import matplotlib.pyplot as plt

from dgrasp.experiment import Experiment
from dgrasp.report.notebook import versions
from dgrasp.report.outputs import not_run, save_output
from dgrasp.report.plots import plot_table
from dgrasp.report.tables import printable_2, table_2

experiment = Experiment.at(profile, build, seed)

# %% [markdown]
# ## The result first: Table 2

# %%
rows = table_2()
table = printable_2(rows)
figure, ax = plt.subplots(figsize=(6, 3))
plot_table(ax, table, "Table 2: real-world grasp success; ours: not run")
save_output("tab02", figure, rows, experiment.figures, profile=experiment.profile.name, runs={}, seed=seed)
table

# %% [markdown]
# ## What the real robot changes in the plan
#
# The downward filter and the shift are settings of the optimizer, so the rule that a lab would run can be tried here
# in simulation: the same validation scene,
# planned freely and with the real robot's rule.

# %%
from dgrasp.policy import NoGraspError
from dgrasp.report.climbs import record_climb

policies = experiment.profile.evaluation.policies
policy = "dgrasp_quat_sync" if "dgrasp_quat_sync" in policies else policies[-1]
free = record_climb(experiment, policy, "simple", scene=0, split="validation")
print(f"{policy}, approach axis, free plan: ", free.T_world_tcp[:3, 2].round(2))
try:
    real = record_climb(experiment, policy, "simple", scene=0, split="validation", approach="downwards", advance=0.01)
    print("approach axis, real robot's rule:", real.T_world_tcp[:3, 2].round(2))
except NoGraspError as error:
    print("real robot's rule: no grasp,", error)

# %% [markdown]
# ## Figure 7
#
# The paper shows a failure to the workspace's corner, a slippage and a success. No profile makes it yet, and
# its file says so.

# %%
not_run(
    "fig07",
    experiment.figures,
    profile=experiment.profile.name,
    reason="real-robot trials are not on record",
    seed=seed,
)

# %% [markdown]
# ## What we saw
#
# In the paper, dGrasp triples the success of its Base policies on the real robot, and stays below the predecessor's
# policy with three views.

# %%
paper = rows.drop_duplicates("policy").set_index("policy")["paper"]
best = {
    kind: paper[[p for p in paper.index if p.startswith(kind)]].drop("base_reported", errors="ignore").max()
    for kind in ("base", "dgrasp")
}
print(
    f"paper: best Base {best['base']:.2f}, best dGrasp {best['dgrasp']:.2f}, predecessor {paper['base_reported']:.2f}"
)

# %% [markdown]
# ## Try it
#
# - Change `advance`: by how much may a pose be shifted before a grasp of a low prism touches the board?

# %%
versions()
