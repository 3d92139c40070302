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
# # 6. Real-robot trials: what transfers, what breaks, and what a lab has to do
#
# **Question.** Does the policy transfer to a real UR10 without ever having seen a real image?
#
# > **Box.** Makes Table 2, Figure 7 and a figure that the paper asks for: success against calibration error. **No robot
# > moved for what ships.** The paper's numbers are the paper's, ours come from a digital twin, and the hardware's
# > column stays empty until logs of real trials fill it (`hardware_logs`). Needs notebooks 1 to 4. `published`, the
# > default, reads the published results; smoke takes less than a minute on two cores.
#
# The paper presents ten everyday objects five times each. Two choices make real grasps safer: only poses that point
# downwards are considered, and the chosen pose is shifted 1 cm along its approach axis against calibration errors (Sec.
# 5.2).

# %% tags=["parameters"]
profile = "published"
build = "../build/published"
seed = 0
hardware_logs = ""  # folder of a lab's own logs (*.jsonl), for Table 2

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from dgrasp.report.figures.plots import plot_table
from dgrasp.report.notebook import open_experiment, show_source, versions
from dgrasp.report.outputs import save_output
from dgrasp.report.tables.success import printable_2, table_2
from dgrasp.robot.log import read_log
from dgrasp.twin.trials import read_twin_trials

experiment = open_experiment(profile, build, seed)
settings = experiment.profile
run = experiment.twin_trials()
logs = read_twin_trials(run)
trials = pd.concat([log.judged for log in logs.values()], ignore_index=True)

# %% [markdown]
# ## The result first: Table 2
#
# The twin's success rates with 95 % Wilson intervals, an empty column for real trials, and the paper's rates. Twin and
# paper are not to be compared number by number: other objects, another cell, and at `smoke` hardly trained networks. An
# entry says how many trials were planned where fewer have a verdict, and how many grasps were begun and not judged.

# %%
lab_logs = sorted(Path(hardware_logs).glob("*.jsonl")) if hardware_logs else []
if hardware_logs and not lab_logs:
    raise FileNotFoundError(f"hardware_logs: no *.jsonl in {hardware_logs!r}")
rows = table_2([*(log.path for log in logs.values()), *lab_logs])
table = printable_2(rows)
banners = " ".join(
    dict.fromkeys([*(log.banner for log in logs.values()), *(read_log(path).banner for path in lab_logs)])
)
figure, ax = plt.subplots(figsize=(8, 3.2))
plot_table(ax, table, f"Table 2: grasp success, trials. {banners}")
runs = experiment.used() | {"twin-trials": run}
looks = ", ".join(sorted({log.header["devices"]["YCB models"] for log in logs.values()}))
save_output(
    "tab02", figure, rows, experiment.figures, profile=settings.name, runs=runs, seed=seed, ycb_appearance=looks
)
table

# %% [markdown]
# ## One cell, five backends
#
# A policy gets calibrated views and gives a pose. It does not know whether `hardware` (ur-rtde, RealSense, Robotiq),
# the `twin` (PyBullet with what reality adds), the `simulation` of Table 1, a `replay` of a log or the `loopback` of
# the driver tests stands behind. Logs know: their first line names the backend, each line is chained to the one before,
# and only a log of backend `hardware` can fill the hardware's column.

# %%
from dgrasp.cell.interface import BACKENDS, RobotCell, banner

for backend in BACKENDS:
    print(banner(backend))
show_source(RobotCell)

# %% [markdown]
# ## What stands for the paper's ten objects
#
# The paper gives names only. What the twin shows instead, and how often it was lifted, over all policies:

# %%
notes = next(iter(logs.values())).header["devices"]
names = sorted(set(trials["object"]))
objects = pd.DataFrame({"in the paper": names, "in the twin": [notes[name] for name in names]})
lifted = trials.groupby("object")["success"].agg(["sum", "count"])
objects["lifted"] = [f"{lifted.loc[name, 'sum']} of {lifted.loc[name, 'count']}" for name in objects["in the paper"]]
objects

# %% [markdown]
# ## What reality adds
#
# Each presentation draws a calibration error, light, exposure, camera noise, textures of bench and board, masses and
# frictions. All policies meet the same draws. The training images had none of it: the lower picture of each pair is
# what the simulated cell would show.
#
# Mind the calibration error: every presentation stands for another cell, calibrated anew. A real cell has one
# systematic error for its whole series, and its trials all miss to the same side. The logs' calibration id names the
# settings that the errors are drawn from, not one error.

# %%
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig

shown = list(settings.twin.trials.objects)[:3]
figure, axes = plt.subplots(2, len(shown), figsize=(3 * len(shown), 4.4), squeeze=False)
large = experiment.observer.model_copy(update={"width": 320, "height": 240})
with TwinCell(settings.twin.reality, settings.cell, large, seed) as cell:
    for (top, bottom), name in zip(axes.T, shown, strict=True):
        cell.present(name, 0)
        metres, degrees = cell.reality.off
        top.imshow(cell.observe().images[0])
        top.set_title(f"{name}\ncamera off by {1e3 * metres:.0f} mm, {degrees:.1f}°")
        with SimulatedCell(settings.cell, large) as plain:
            plain.show(cell.scene)
            bottom.imshow(plain.observe().images[0])
for ax in axes.flat:
    ax.set_axis_off()

# %% [markdown]
# Every spread says where it comes from:

# %%
lines = [
    f"| `{name}` | {getattr(settings.twin.reality, name)} | {field.description} |"
    for name, field in TwinConfig.model_fields.items()
]
display(Markdown("\n".join(["| setting | here | what, and why |", "|---|---|---|", *lines])))

# %% [markdown]
# ## What breaks
#
# Outcomes by policy. "Refused" is the dry run: the pose is too low, tilted too far, or the arm has no free way; a real
# cell refuses it as well, before anything moves.

# %%
trials.pivot_table(index="policy", columns="outcome", values="number", aggfunc="count", fill_value=0, sort=False)

# %% [markdown]
# Why poses were refused, over all policies (numbers of the single poses left out):

# %%
reasons = trials.loc[trials["outcome"] == "refused", "reason"].str.removeprefix("refused: ")
reasons.str.replace(r"-?\d+(\.\d+)?", "…", regex=True).value_counts().rename("trials").to_frame()

# %% [markdown]
# ### Figure 7: to the corner, slipped, lifted
#
# The paper's three pictures, as the twin has them: a pose that went to a corner of the workspace (or, where none did,
# to an edge), an object that was between the fingers and slipped, and a success. The trial shown is the one that the
# policy valued highest; where none ended that way, the row says so.

# %%
from dgrasp.report.figures.twin import Example, choose_examples, examples_table, film_trial, plot_examples

world = (settings.twin.reality, settings.cell, experiment.observer, seed)
examples = [
    Example(title, record, film_trial(record, *world) if record else ())
    for title, record in choose_examples(trials).items()
]
figure, axes = plt.subplots(3, 4, figsize=(9, 6.6))
plot_examples(axes, examples, len(trials))
save_output("fig07", figure, examples_table(examples), experiment.figures, profile=settings.name, runs=runs, seed=seed)

# %% [markdown]
# ## How well must a camera be calibrated?
#
# The paper blames calibration for much of its loss on the real robot, and does not measure it. Predict before you look:
# the gripper opens 140 mm and most objects are 40 to 80 mm wide. Which hurts more, 20 mm or 5 degrees?
#
# Left, the camera's position is off in a random direction; right, its orientation. The error is added: arm, focal
# length and image centre keep theirs, so that 0 is no perfect camera. At a distance of 0.8 m, one degree moves the
# image of an object by 14 mm, in each view elsewhere.

# %%
from dgrasp.report.figures.twin import plot_calibration_sweep, ycb_appearance
from dgrasp.twin.rates import sweep_rates
from dgrasp.twin.sweep import read_sweep

swept = experiment.calibration_sweep()
attempts = read_sweep(swept)
rates = sweep_rates(attempts)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
plot_calibration_sweep(axes, rates)
swept_runs = {"calibration-sweep": swept}
save_output(
    "calibration",
    figure,
    rates,
    experiment.figures,
    profile=settings.name,
    runs=swept_runs,
    seed=seed,
    ycb_appearance=ycb_appearance(attempts),
)

# %% [markdown]
# Calibration is not all that stands between the cell of training and this one: the looks are others, too. What each of
# them costs (for the published dGrasp most of all the texture of the bench) is what `benchmarks/twin_looks.py`
# measures; REPRODUCING.md has its numbers.
#
# ## Calibrating one's own camera
#
# A printed board lies still, the wrist camera looks at it from a dozen postures or more, and OpenCV solves for
# `T_tool0_cam`; then one least-squares fit of all corners refines it. Here the truth is known: the same code on
# synthetic sightings, with 0.2 pixels of noise. (OpenCV is part of the extra `robot`.)

# %%
import importlib.util

import numpy as np

has_opencv = importlib.util.find_spec("cv2") is not None
if has_opencv:
    from dgrasp.cell.transforms import inverse
    from dgrasp.robot.calibration.hand_eye import BadCalibration, calibrate
    from dgrasp.robot.calibration.synthetic import SyntheticCell

    rng = np.random.default_rng(seed)
    lab = SyntheticCell.draw(rng)
    sightings = [lab.see(T, rng, pixels=0.2) for T in lab.postures(rng, 15)]
    found = calibrate(lab.board, sightings, (640, 480))
    off = inverse(lab.T_tool0_cam) @ np.array(found.camera.T_mount_cam)
    left = found.residuals
    print(
        f"calibration {found.id}: {left.pixels:.2f} px, {left.millimetres:.2f} mm, {left.degrees:.2f} degrees are left"
    )
    print(f"off the truth by {1e3 * np.linalg.norm(off[:3, 3]):.2f} mm, fx {found.camera.fx:.1f} px (true 617.0)")
else:
    print("skipped: OpenCV is not installed")

# %% [markdown]
# What leaves the answer open is refused, with what to do: here the hand only turned about the vertical, and the board
# moved.

# %%
if has_opencv:
    from dataclasses import replace

    from dgrasp.cell.transforms import transform, yaw

    upright = lab.postures(rng, 1, tilt=2.0)[0]
    turned = [transform(yaw(a) @ upright[:3, :3], upright[:3, 3]) for a in np.linspace(-0.3, 0.3, 12)]
    moved = replace(lab, T_world_board=transform(None, (0.02, 0.0, 0.0)) @ lab.T_world_board)
    after_a_push = [moved.see(s.T_world_tool0, rng) for s in sightings[8:]]
    cases = [lab.see(T, rng) for T in turned], sightings[:8] + after_a_push
    for views in cases:
        try:
            calibrate(lab.board, views, (640, 480))
        except BadCalibration as refusal:
            print(refusal)

# %% [markdown]
# What the camera sees, and the board to print (100 %, on stiff paper; then measure its squares):

# %%
if has_opencv:
    from dgrasp.robot.calibration.board import write_board

    figure, axes = plt.subplots(1, 3, figsize=(9, 2.4))
    for ax, s in zip(axes, sightings, strict=False):
        ax.imshow(lab.photograph(s.T_world_tool0))
        ax.scatter(*s.uv.T, s=6, color="#EE6677")
        ax.set_axis_off()
    print("to print:", write_board(lab.board, experiment.figures / "calibration_board.pdf").name, "beside the figures")

# %% [markdown]
# ## Own images
#
# A folder of photographs with known cameras (`transforms.json`, nerfstudio's layout) is enough to get ranked grasps:
# `rank_grasps(folder, policy, width=...)`, or
# `dgrasp plan-from-images FOLDER` (with the published policies).
# Here the exporter writes two views of the twin, and the function reads them like anybody's photographs.

# %%
from dgrasp.data.export import write_transforms
from dgrasp.experiment.plan_from_images import rank_grasps
from dgrasp.report.figures.draw import draw_gripper, show_view

known = settings.evaluation.policies
policy = "dgrasp_quat_sync" if "dgrasp_quat_sync" in known else known[-1]
photos = experiment.workspace / "photographs"
with TwinCell(settings.twin.reality, settings.cell, experiment.observer, seed) as cell:
    cell.present(shown[0], 1)
    write_transforms(cell.observe(), photos)
ranked = rank_grasps(photos, experiment.policy(policy), width=experiment.observer.width, n=5, seed=seed)
figure, axes = plt.subplots(1, 2, figsize=(8, 3))
for view, ax in enumerate(axes):
    show_view(ax, ranked.views, view)
    for k, T in reversed(list(enumerate(ranked.Ts_world_tcp))):
        draw_gripper(ax, ranked.views, view, T, color="#d7191c" if k == 0 else "#dddddd", width=2.0 if k == 0 else 1.0)
ranked.table.round(3)

# %% [markdown]
# Photographs of one's own need: two of them, from opposite sides, about 0.8 m away; lens distortion removed; poses in
# the cell's world frame (or `T_world_capture`, from a calibration board). What cannot be used is refused in one line
# that names file, frame and key: `OWN_IMAGES.md` lists it.
#
# ## What a lab has to do on its own cell
#
# 0. [ ] Build the cell that the policies know. In the arm's base frame (`base_link`: z up, x from the base to the
#    board's middle; the controller's own x and y run the other way): the board, 0.684 m along x and 0.640 m along y,
#    with its centre at (0.655, 0) m and its top at -12.5 mm; the table's top another 12.5 mm lower. On the pendant:
#    payload of gripper and camera (about 1.1 kg), safety planes, force limits.
# 1. [ ] `make env` (or `pip install .[companion,robot]` in an environment of yours), and the system library
#    `libusb-1.0-0` for the camera.
# 2. [ ] Mount the camera on the wrist where the model of the hand has it: the colour sensor 62 mm to the side (tool y),
#    35 mm along tool x, 40 mm ahead of the flange. Collisions are checked with it there; more than 20 mm off, and the
#    cell is refused. Standing cameras are in no model: keep them out of the arm's way. Read the `SafetyLimits` one by
#    one.
# 3. [ ] Print the board, measure its squares, glue it to something flat.
# 4. [ ] 15 to 25 images from postures that tilt by 20 to 45 degrees to all sides, from 0.35 to 0.6 m, the board not
#    always in the middle; the arm at rest for each. `calibrate`: below 1 px, 3 mm, 0.5 degrees, or it is refused.
# 5. [ ] Check the calibration where it matters: touch a corner of the board with a pointed tool; it should be within 2
#    mm.
#    Then the board: close the fingers, guide them down until they touch it, in three corners at least; more than 2 mm
#    from step 0, and the cell's file is refused.
# 6. [ ] Choose the two viewpoints (the policies know ±80 degrees, 45 degrees high, 0.8 m from the board's centre).
# 7. [ ] Rehearse: run a series, in a log of its own, with the cell of `open_cell(config, dry_run=True)`; every pose is
#    checked and no grasp is executed (`dry run` in the log). With standing cameras and the arm at home nothing moves,
#    and the cell need not be armed. A camera on the wrist is carried to its views: for that, somebody stands at the
#    emergency stop and arms the cell.
# 8. [ ] Somebody stands at the emergency stop. Arm the cell explicitly; first trials slowly
#    (`motion=MotionConfig(joint_speed=0.1, linear_speed=0.03)` in the `HardwareConfig`), with foam blocks, in a log of
#    their own outside of the folder of step 10. If a fault leaves an object in the fingers, hold it, and
#    `cell.let_go()`.
# 9. [ ] `run_trials` with an `AskingOperator`: ten objects, five presentations, random order, the operator does not
#    know the policy. Interrupt at will: it goes on with the first trial without a verdict.
# 10. [ ] This notebook with `hardware_logs` fills the hardware's column, beside the twin's. Publish the logs with it:
#     they have images' hashes, poses, calibration.
#
# ### The same steps as code
#
# To be typed on the lab's machine, not run here. Step 3, the board, and step 4, the pictures: a person guides the arm
# with the pendant's free drive, lets go, presses Enter, and the arm is asked where it stands.
#
# ```python
# from pathlib import Path
#
# from dgrasp.robot.calibration.board import Board, write_board
# from dgrasp.robot.calibration.hand_eye import calibrate
# from dgrasp.robot.drivers.realsense import RealSenseCamera
# from dgrasp.robot.calibration.sightings import collect_sightings, measured_flange
#
# arm, serial = "192.0.2.7", "012345678901"  # the controller's address, the D415's serial number
# write_board(Board(), Path("board.pdf"))
#
# board = Board(square=0.0348, marker=0.0259)  # as measured on the print
# camera = RealSenseCamera(serial, width=640, height=480)
# camera.warm_up()
# sightings = collect_sightings(board, camera, lambda: measured_flange(arm), views=20)
# camera.close()
# calibration = calibrate(board, sightings, (640, 480), camera="wrist")
# calibration.save(Path("calibration.json"))
# print(calibration.residuals)
# ```
#
# Step 5: hold the tip of a pointed tool (here 120 mm long, on the flange) against the outer corner of the board's first
# square. The two lines should agree within 2 mm.
#
# ```python
# import numpy as np
#
# print(np.array(calibration.T_world_board)[:3, 3])
# print((measured_flange(arm) @ [0.0, 0.0, 0.120, 1.0])[:3])
#
# from dgrasp.robot.calibration.sightings import touched_height
#
# board_heights = []
# for corner in range(4):
#     input("Closed fingertips on the board near a corner, let go, Enter: ")
#     board_heights.append(touched_height(arm))
# ```
#
# Steps 2 and 6: limits and views, into the one file that describes the cell. `for_cell` is the `calibration:` section.
#
# ```python
# from dgrasp.robot.hardware import HardwareConfig
# from dgrasp.robot.safety import SafetyLimits
# from dgrasp.robot.viewpoints import wrist_viewpoints
# from dgrasp.robot.calibration.hand_eye import load_calibration
# from dgrasp.robot.safety import SafetyCheck
# from dgrasp.cell.viewpoints import evaluation_viewpoints
#
# calibration = load_calibration(Path("calibration.json"))
# limits = SafetyLimits()  # what each of them means: SafetyLimits.model_fields
# with SafetyCheck(limits) as safety:
#     viewpoints = wrist_viewpoints(calibration.camera, evaluation_viewpoints(2), safety)
# config = HardwareConfig(
#     arm=arm, cameras={"wrist": serial}, board_heights=tuple(board_heights), viewpoints=viewpoints,
#     calibration=calibration.for_cell(), limits=limits,
# )
# config.write(Path("cell.yaml"))
# ```
#
# The file begins `arm: 192.0.2.7`; edit it by hand where the cell differs (`gripper`, `motion`). Steps 8 to 10:
#
# ```python
# from dgrasp import Experiment
# from dgrasp.report.tables.success import table_2
# from dgrasp.robot.devices import CONFIRMATION
# from dgrasp.robot.hardware import open_cell
# from dgrasp.robot.trials import AskingOperator, TrialProtocol, for_real_robot, run_trials
# from dgrasp.experiment.plan_from_images import ResizeToTraining
#
# names = ("base_quat_sync", "dgrasp_quat_sync")
# experiment = Experiment.open("published", "build/published")
# width = experiment.observer.width  # of the training images; the camera's are finer
# config = HardwareConfig.read(Path("cell.yaml"))
# policies = {name: ResizeToTraining(for_real_robot(experiment.policy(name), config.limits), width) for name in names}
# runs = {name: run.fingerprint for name, run in experiment.used().items()}  # the log says which networks acted
# protocol = TrialProtocol(policies=names, presentations=5, seed=0)
# with open_cell(config) as cell, cell.armed(CONFIRMATION):
#     run_trials(cell, policies, AskingOperator(), protocol, Path("trials.jsonl"), images=Path("images"), runs=runs)
# table_2([Path("trials.jsonl")])
# ```
#
# The protocol and the rule of Sec. 5.2, as code:

# %%
from dgrasp.robot.trials import TrialProtocol, for_real_robot

show_source(for_real_robot)
series = TrialProtocol(policies=tuple(logs)[:2], presentations=5, seed=seed)
first = ", ".join(trial.object for trial in series.trials()[:4])
print(f"{len(series.trials())} trials for two policies; the operator sees: {first}, ...")

# %% [markdown]
# ## Replay
#
# A log can be played again as a cell of its own: it shows the views that the policy got, checked against their hashes,
# and answers to the recorded pose alone, with what was recorded. Kept are the views of one policy at the first
# presentation of each object. In red the grasp that was executed, or refused.

# %%
from dgrasp.cell.transforms import pose_matrix
from dgrasp.robot.replay import ReplayCell
from dgrasp.twin.trials import IMAGES

pictured = next((name for name in settings.twin.trials.pictured if name in logs), policy)
replay = ReplayCell(logs[pictured], run.path / IMAGES)
print(banner(replay.backend, logs[pictured].backend))
played = replay.pictured[:4]
if not played:
    print(f"no views of {pictured} were kept; `twin: {{trials: {{pictured: [...]}}}}` of the profile says whose are")
figure, axes = plt.subplots(2, len(played) or 1, figsize=(2.2 * (len(played) or 1), 3.6), squeeze=False)
for column, number in zip(axes.T, played, strict=False):
    replay.select(number)
    views, record = replay.observe(), replay.record
    for view, ax in enumerate(column):
        show_view(ax, views, view)
        if record["pose"] is not None:
            draw_gripper(ax, views, view, pose_matrix(record["pose"]), color="#d7191c", width=2.0)
    column[0].set_title(f"{number}: {record['object']},\n{record['outcome']}", fontsize=7)

# %% [markdown]
# ## What we saw

# %%
from dgrasp.report.tables.findings import paper_real
from dgrasp.report.tables.paper import paper_rate
from dgrasp.sim.objects import ycb

real = paper_real()
for which in ("mean", "best"):
    base, dgrasp, ratio = real.loc[["base", "dgrasp", "ratio"], which]
    print(f"paper, {which} of the policies: Base {base:.2f}, dGrasp {dgrasp:.2f}, {ratio:.1f} times as much")
print(f"paper, the predecessor's policy with three views: {paper_rate('tab02', 'base_reported', 'real'):.2f}")
twin_rows = rows[(rows["backend"] == "twin") & rows["n"].notna()]
for kind in ("base", "dgrasp"):
    ours = twin_rows[twin_rows["policy"].str.startswith(kind)]
    print(f"twin: {kind} lifted {ours['successes'].sum():.0f} of {ours['n'].sum():.0f} over its {len(ours)} policies")
for (kind, policy), some in sweep_rates(attempts).groupby(["kind", "policy"], sort=False):
    least, most = some.loc[some["error"].idxmin()], some.loc[some["error"].idxmax()]
    print(f"{kind}: {policy} from {least.rate:.2f} at {least.error:g} to {most.rate:.2f} at {most.error:g}")
looks = next(iter(logs.values())).header["devices"]["YCB models"]
print("YCB models:", ycb.described(looks))
print("hardware:", ", ".join(map(str, lab_logs)) or "no log, no number")

# %% [markdown]
# In the paper, dGrasp lifts more than its Base policies on the real robot (by the factors above), and stays below the
# predecessor's policy with three views. The twin cannot confirm that: it shares the simulator with the training data,
# its objects are stand-ins, and its spreads are our guesses. What it can do is rank causes: set one error, keep the
# rest.
#
# ## Try it
#
# - Switch the causes off one by one (`twin: {reality: {shadow: false}}` in a profile of your own). Which one costs
#   most?
# - The rule's 1 cm: run the sweep without it (`for_real_robot`). Where does it help, and where does it push into the
#   board?

# %%
versions()
