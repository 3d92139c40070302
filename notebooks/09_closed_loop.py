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
# # 9. The ascent as a motion: the arm follows the slope
#
# **Question.** The paper ends with a promise (Sec. 6): the slopes could drive a robot in closed loop. Can they, with
# networks that were never trained for it?
#
# > **At a glance.** Makes a figure and a table of our own. Needs notebooks 1 to 4. `smoke` makes a few attempts; at
# > other profiles, and with `published`, whatever has been made is read: `dgrasp closed-loop` makes it, in some hours
# > of two cores.
#
# In open loop a policy observes once, plans, and the arm executes blindly. In closed loop it plans the same grasp,
# goes to its pre-grasp, and from there on observes, climbs and steps, four times a second, until it stands at the
# summit.

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0

# %%
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from dgrasp.cell.following import towards
from dgrasp.evaluation.loop_series import loop_rates, read_loops
from dgrasp.examples import pouring
from dgrasp.policy.servo import Servo, from_behind
from dgrasp.report.answers import loop_answer
from dgrasp.report.figures.closed_loop import NOT_RUN, loops, plot_photograph, plot_pours
from dgrasp.report.notebook import open_studio, show, show_source, versions
from dgrasp.sim.sight import Sight, put_right

studio = open_studio(profile, build, seed)
run = loops(studio)
attempts = None if run is None else read_loops(run)

# %% [markdown]
# ## The result first
#
# Objects are pushed while the arm is on its way, the board moves all the while, or the cameras are not where they are
# said to be. Dashed is open loop, solid is closed loop; bars are 95 % intervals (Wilson). **Before you look:** where
# should closing the loop help, and where can it not?

# %%
studio.make("closed_loop_rates")
if run is None:
    display(Markdown(f"**{NOT_RUN}** What follows are an empty table, how it works, and another problem."))

# %% [markdown]
# The same as a table, rates with 95 % intervals: `size` is in the unit that the disturbance's name says.

# %%
studio.make("closed_loop")

# %% [markdown]
# And as a picture: one scene, chosen by a rule that knows no policy, and one push.

# %%
studio.make("closed_loop_motion")

# %% [markdown]
# Standing cameras that are off show the object beside where it is, in every observation alike: closing the loop alone
# cannot help. But they show the hand, too, and the arm knows where that is (below).
#
# ## One observation, one step
#
# Nothing is trained for it. Every observation has a landscape of its own: new pictures, encoded by the same Φ, scored
# by the same Ψ. A few poses climb it with the policy's own optimizer: the TCP's, the last observation's summit, some
# round about both.

# %%
show_source(Servo)

# %% [markdown]
# The arm goes one step towards the summit, from behind it, as demonstrations come. The cell owns the motion: whatever
# is asked, a step is no longer and no wider than its limits, and every step is checked as a whole grasp is.

# %%
show_source(from_behind, towards)

# %% [markdown]
# The hand is over the object when it matters, and Φ has never seen a hand. So pixels that the arm covers, by its joint
# angles and the calibration, show what was seen there last. And where the hand is not seen where it is expected, the
# camera is off: it is turned until it sees the hand where the hand is.

# %%
show_source(Sight, put_right)

# %% [markdown]
# On hardware the same loop stands behind the arming step; a planner that hangs or a camera that stops is a fault, and
# the arm is stopped.
#
# ## Do the paths look like demonstrations?
#
# Attempts that lifted something: length of the way from the pre-grasp, that length over a straight one's, mean cosine
# of successive steps (smoothness), and mean cosine of motion and the displacement that a demonstrator would have made.
# That is no recorded demonstration, since none was made of these scenes: it is a constructed path, from the same place
# straight to the oracle's pre-grasp of the grasp that was reached, and straight down, without the curve of
# demonstrations. The last two columns are that path's own.

# %%
studio.make("closed_loop_paths")

# %% [markdown]
# ## Beyond grasping: pouring into a cup that a camera sees
#
# The same loss, another hand, and an answer that is known: the spout over the cup, the jug tilted away from the robot.
# The cup stands somewhere else in every picture. Demonstrations carry the jug upright and tilt it over the cup. All
# that the library gives is in the training loop:

# %%
show_source(pouring.train_pouring_value)

# %%
cups = pouring.cups(40, seed, of="demonstrations")
demonstrations = pouring.demonstrations(cups, seed)
new_cup = pouring.cups(1, seed, of="new")[0]
pours = {}
for name, weight in (("main loss only", 0.0), ("main + auxiliary loss", 1.0)):
    pours[name] = pouring.pour_into(pouring.train_pouring_value(cups, demonstrations, weight, seed), new_cup, seed)
    found, spilled = pours[name].poured.float().mean(), pours[name].spilled.float().mean()
    print(f"{name:22s} poured within 3 cm and 15 degrees: {found:.0%}; tilted too early on their way: {spilled:.0%}")

# %% [markdown]
# On the left what the camera sees of a cup that no demonstration was of; then a hundred jugs that start upright
# anywhere, from the side (forty are drawn). Thick strokes point out of the spouts;
# blue ends over the cup (red), orange does not.

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), width_ratios=(1, 1.4, 1.4))
plot_photograph(axes[0], pouring.photograph(new_cup))
for ax, (name, found) in zip(axes[1:], pours.items(), strict=True):
    plot_pours(ax, found, name)
show(figure, "The camera's picture of a cup; ways of jugs after the main loss alone, and after both losses.")

# %% [markdown]
# Many jugs tilt before they are over the cup: Adam moves every coordinate at its own rate, however small its slope. A
# demonstration never does. That is the price of taking an optimizer's path for a motion, and why the closed loop above
# goes to where the climb ends and not along it.
#
# ## What we saw

# %%
print(loop_answer(pd.DataFrame() if attempts is None else loop_rates(attempts)))
for name, found in pours.items():
    over, early = found.poured.float().mean(), found.spilled.float().mean()
    print(f"pouring, {name}: {over:.0%} of {len(found.poured)} jugs end over a new cup; {early:.0%} tilt before")

# %% [markdown]
# ## Try it
#
# How many pictures of cups does it take? Some seconds. Expect few jugs to pour after two cups, since the network then
# knows two places and not what the picture means, and more with every further cup.

# %%
count = 2

few = pouring.cups(count, seed, of="demonstrations")
value = pouring.train_pouring_value(few, pouring.demonstrations(few, seed), 1.0, seed)
poured = pouring.pour_into(value, new_cup, seed).poured.float().mean()
print(f"taught on {count} cups: {poured:.0%} of the jugs pour into a new one")

# %%
versions()
