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
# # 7. Ablations: the paper's explanations, tested
#
# **Question.** The paper explains its results (fewer poses, smaller batches, fewer images) and makes choices (KL, ELU,
# the next pose as target). Which of these matter, and is second order needed at all?
#
# > **At a glance.** Makes a figure and two tables of our own. Needs notebooks 1 to 3. `smoke` asks two questions in
# > less than a minute; at other profiles, and with `published`, whatever has been tried is read. To try it, arm by
# > arm, a quarter of an hour each on two cores: `dgrasp ablations --profile laptop`. Some questions are asked only by
# > name, as `--question batch activation augmentation queries climb encoder fusion_phi`; `--list` says what is done.
#
# Each question has *arms* that differ in one thing. Arms share Φ, demonstrations, initial weights and observations,
# and are tried on the same scenes from the same starting poses, with untuned settings of the climb. Those scenes are
# of a split of their own (`ablation`): nothing was chosen on them, and none is in Table 1.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import pandas as pd
from IPython.display import Markdown, display

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.verdict import AGREES
from dgrasp.experiment.ablations.rows import ablation_differences, ablation_rows
from dgrasp.experiment.questions import questions
from dgrasp.report.figures.ablations import NOT_RUN, tried
from dgrasp.report.notebook import open_studio, versions
from dgrasp.report.tables.ablations import answers, second_order_answer

studio = open_studio(profile, build, seed)
settings = studio.experiment.profile.ablations
rows, differences = ablation_rows(tried(studio)), ablation_differences(tried(studio))
if not tried(studio):
    display(Markdown(f"**{NOT_RUN}** What follows are the questions, and empty figures."))

# %% [markdown]
# ## What is asked, and what the paper leads one to expect
#
# **Before you look** at numbers: which of these would you bet on?

# %%
asked = {name: questions()[name] for name in dict.fromkeys((*settings.names(), *rows["question"]))}
listed = [
    {"question": q.asks, "the paper": q.says, "place": q.place, "arms": ", ".join(q.arms)} for q in asked.values()
]
pd.DataFrame(listed, index=list(asked)).style.set_properties(**{"text-align": "left"})

# %% [markdown]
# ## The result first: success of every arm
#
# Is second order needed at all? Then all arms: dots are rates, bars 95 % intervals (Wilson), one colour per task.

# %%
print(second_order_answer(differences) or NOT_RUN)
studio.make("ablation_rates")

# %% [markdown]
# The same as a table. `minutes` are of the readout's training (its share of the pass it was trained in; where times
# are equal, those of one processor alone), so compare them within a question. `cosine` is that of slope and
# displacement on held-out trajectories (one is perfect, zero is chance). `arrived` is how many random starts end near a
# valid grasp when all of them climb to the end: a few in a thousand, too few to tell arms apart by.

# %%
studio.make("ablations")

# %% [markdown]
# ## Differences, and what they say to the paper
#
# Arms of a question met the same scenes, so that differences are taken scene by scene: with one training seed the
# arms' names are swapped (a permutation test, and a bootstrap of scenes for intervals), with several seeds and scenes
# are drawn, as in notebook 5. Holm's correction is for the rows of a question. Verdicts follow the rules of notebook 5:
#
# - The paper states a difference: *agrees* and *disagrees* are for differences beyond chance. With several training
#   seeds *disagrees* is also said where the whole interval lies below 0.05 in the paper's direction. Else it **cannot
#   be told**.
# - The paper found none: *disagrees* where ours is beyond chance, or **not contradicted**, which proves none.
# - Of arms that the paper does not know, as the rivals below, the difference alone is said.

# %%
studio.make("ablation_differences")

# %%
sentences = answers(differences)
assert len(sentences) == differences["question"].nunique(), "one answer for each question that has been tried"

# %% [markdown]
# A difference that is called one must have an interval and a corrected p that call it one.

# %%
sure = differences[differences["p_holm"] < LEVEL]
assert ((sure["low"] > 0) | (sure["high"] < 0)).all()  # corrected p and interval of another method: they agree
assert set(differences.index[differences["verdict"] == AGREES]) <= set(sure.index)
assert ((rows["low"] <= rows["rate"]) & (rows["rate"] <= rows["high"])).all()
print(f"{len(differences)} comparisons, {len(sure)} of them beyond chance")

# %% [markdown]
# ## Why second order?
#
# $\mathcal{L}_{aux}$ needs the derivative of a slope in the weights. Three rivals need first derivatives alone, see
# the same poses around the same trajectories, and get the same training time (processor seconds of a step are
# measured for each, in this experiment; whoever is quicker makes more steps):
#
# - **slope head**: a second readout says the slope outright, $s_\theta(p)$, and is climbed; the first ranks (as in
#   equilibrium matching, arXiv 2510.02300). It costs no derivative at all, but its slopes need not be those of any
#   function.
# - **finite differences**: $\partial_i \Psi \approx (\Psi(p + h e_i) - \Psi(p - h e_i)) / 2h$, so that the loss is
#   one of function values (as in arXiv 2007.03317). It costs 14 values for each pose.
# - **trajectory ranking**: of two poses of a trajectory the later one is the better one,
#   $-\log \sigma(\Psi(p_{t'}) - \Psi(p_t))$. It says which way is up, and nothing of the slope.

# %%
import torch

from dgrasp.slopes.first_order import finite_difference_slopes, trajectory_ranking_loss
from dgrasp.slopes.losses import value_gradient

value = lambda p: p.sin().prod(dim=-1) - (p**2).sum(dim=-1)  # noqa: E731
p, later = torch.rand(5, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)

h, e = 1e-3, torch.eye(3, dtype=torch.float64)
by_hand = torch.stack([(value(p + h * e[i]) - value(p - h * e[i])) / (2 * h) for i in range(3)], dim=-1)
torch.testing.assert_close(finite_difference_slopes(value, p), by_hand)
print(f"differences off the derivative by {(by_hand - value_gradient(value, p)).abs().max():.1e} at most")

by_hand = -torch.nn.functional.logsigmoid(value(later) - value(p)).mean()
torch.testing.assert_close(trajectory_ranking_loss(value(p), value(later)), by_hand)

# %% [markdown]
# What to look for: an arm may have good cosines and still lose, if its candidates do not arrive or its values do not
# rank.
#
# What this does *not* show: arms are trained for a share of the full steps, which may favour what learns quickly; and
# with one training seed an arm's initial weights are one draw, which the intervals do not cover. **Compare within a
# question only**: the same method has other numbers of poses and of steps in another question, and what it lifts may
# differ by as much between two questions as between two arms.
#
# ## What we saw

# %%
print(*(sentences or [NOT_RUN]), sep="\n")

# %% [markdown]
# ## Try it
#
# How far may the two values of a finite difference be from each other? A second. Expect the error to shrink as $h^2$,
# and to grow again below a hundred-thousandth: then rounding is all that is left.

# %%
for h in (1e-1, 1e-3, 1e-5, 1e-9):
    off = (finite_difference_slopes(value, p, step=h) - value_gradient(value, p)).abs().max()
    print(f"h = {h:.0e}: off by {off:.1e}")

# %% [markdown]
# More: `dgrasp ablations --list` says which questions there are and how many of their arms are done; an arm of your
# own is a few settings in `dgrasp/experiment/questions.yaml`.

# %%
versions()
