"""The real-robot chapter: Table 2, outcomes of trials (Figure 7), success against calibration error."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageDraw

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_matrix
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.seeds import all_seeds, twin_logs_of
from dgrasp.policy.diagnostics import in_corner
from dgrasp.policy.policies import GraspPolicy
from dgrasp.report.figures.draw import gripper_in_view, letter_panels
from dgrasp.report.figures.filmstrip import Frame, film
from dgrasp.report.figures.plots import policy_colour
from dgrasp.report.names import policy_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.report.tables.success import printable_2, table_2, with_labels
from dgrasp.robot.limits import SafetyLimits
from dgrasp.robot.log import TrialLog, read_log
from dgrasp.robot.trials import for_real_robot, starts_of
from dgrasp.runs import Run
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import ycb
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.rates import sweep_rates
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import ROTATION, TRANSLATION

EDGE = 0.01  # m from one side: a pose that the workspace alone stopped
SHOWN = ("approach", "close", "lift", "hold")  # frames of a trial in Figure 7, after the plan
RED, GREY = (215, 25, 28), (70, 70, 70)


@dataclass(frozen=True, eq=False)
class Example:
    """One trial shown in Figure 7. `record` is None where no trial ended that way."""

    title: str
    record: dict | None
    frames: tuple[Frame, ...] = ()


def is_in_corner(x: float, y: float, z: float) -> bool:
    """Whether a TCP position (world, m) is in a corner of the workspace, as `dgrasp.policy.diagnostics` counts them."""
    T = torch.eye(4, dtype=torch.float64)
    T[:3, 3] = torch.tensor([x, y, z])
    return bool(in_corner(T, (torch.tensor(BOUNDS_LOW), torch.tensor(BOUNDS_HIGH))))


def is_at_edge(x: float, y: float) -> bool:
    """Whether a TCP position (world, m) lies within 1 cm of a side of the workspace."""
    sides = np.minimum(np.array([x, y]) - BOUNDS_LOW[:2], BOUNDS_HIGH[:2] - np.array([x, y]))
    return bool((sides < EDGE).any())


def choose_examples(trials: pd.DataFrame) -> dict[str, dict | None]:
    """One trial each for failure to the corner, slippage and success; None where there is none.

    trials: rows of `TrialLog.judged`. Of several, one that was executed, and of these the one that stands highest among
    its own policy's values, since values of different models are on scales of their own. Where no pose went to a
    corner, one that went to an edge is taken, and called so.
    """
    posed = trials[trials["pose"].notna()].copy()
    posed["refused"] = posed["outcome"] == Outcome.REFUSED
    posed["rank"] = posed.groupby("policy")["value"].rank(pct=True)
    posed = posed.sort_values(["refused", "rank", "value"], ascending=[True, False, False], kind="stable")
    failed = posed[~posed["success"].astype(bool)]
    corner = failed[[is_in_corner(*pose[:3]) for pose in failed["pose"]]]
    edge = failed[[is_at_edge(*pose[:2]) for pose in failed["pose"]]]
    outside = {"failure to the edge": edge} if len(edge) and not len(corner) else {"failure to the corner": corner}
    kinds = outside | {
        "slippage": posed[posed["outcome"].isin([Outcome.SLIPPED, Outcome.DROPPED])],
        "success": posed[posed["success"].astype(bool)],
    }
    return {title: rows.iloc[0].to_dict() if len(rows) else None for title, rows in kinds.items()}


def film_trial(
    record: dict,
    twin: TwinConfig,
    cell: CellConfig,
    observer: Observer,
    seed: int,
    finer: int = 1,
    policy: GraspPolicy | None = None,
    shown: int = 48,
) -> tuple[Frame, ...]:
    """The frames `SHOWN` of a recorded twin trial, executed again; where it ended before, what was there afterwards.

    Of a refused one there is one frame, with the refused pose drawn as a red fork. policy: plans the trial again, and
    the first frame shows its `shown` candidates of highest final value (grey), and the recorded pose (red).
    """
    T_world_tcp = pose_matrix(record["pose"])
    with TwinCell(twin, cell, observer, seed) as again:
        again.present(record["object"], record["presentation"])
        planned: tuple[Frame, ...] = ()
        if policy is not None:
            generator = streams.torch_generator(seed, *starts_of(record["object"], record["presentation"]))
            candidates = policy.plan(again.observe(), generator).candidates.T_world_tcp[:shown].cpu().numpy()
            planned = (("best candidates, chosen red", _with_poses(again, T_world_tcp, candidates)),)
        if record["outcome"] == Outcome.REFUSED:
            return (*planned, ("the refused pose, in red", _with_pose(again.simulated, T_world_tcp)))
        T_world_tcp[:3, 3] += again.reality.execution_shift
        aim = torch.from_numpy(T_world_tcp[:3, 3] + [0.0, 0.0, 0.06])
        camera = view_from_sphere(aim, 0.7, np.radians(60), np.radians(72)).numpy()
        frames, _ = film(again.simulated, T_world_tcp, T_world_cam=camera, finer=finer, after=True)
    *during, after = frames
    filmed = [frame for frame in during if frame[0] in SHOWN]
    return (*planned, *[*filmed, after][: len(SHOWN)])


def _with_poses(cell: TwinCell, T_world_tcp: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What the policy's first viewpoint shows of the cell, with a pose in red before others in grey."""
    views = cell.simulated.observe(cell.observer.Ts_world_cam[:1], Intrinsics.d415(1280, 960))
    picture = Image.fromarray(views.images[0])
    for T, colour, width in [*((T, GREY, 3) for T in others), (T_world_tcp, RED, 10)]:
        _draw_pose(picture, views, T, cell.simulated, colour, width)
    return np.asarray(picture.resize((640, 480), Image.Resampling.LANCZOS))  # smooth lines


def _with_pose(cell: Cell, T_world_tcp: np.ndarray) -> np.ndarray:
    """A picture of the cell that shows its object and a pose."""
    ends = np.stack([T_world_tcp[:3, 3], cell.scene.objects[0].T_world_object[:3, 3]])
    distance = 0.7 + float(np.linalg.norm(ends[1] - ends[0]))
    camera = view_from_sphere(torch.from_numpy(ends.mean(axis=0)), distance, np.radians(60), np.radians(72)).numpy()
    views = cell.observe(camera[None], Intrinsics.d415(320, 240))
    picture = Image.fromarray(views.images[0])
    _draw_pose(picture, views, T_world_tcp, cell, RED, 3)
    return np.asarray(picture)


def _draw_pose(
    picture: Image.Image, views: Views, T_world_tcp: np.ndarray, cell: Cell, colour: tuple[int, int, int], width: int
) -> None:
    for uv in gripper_in_view(views, 0, T_world_tcp, cell.config.model.hand):
        ImageDraw.Draw(picture).line([tuple(p) for p in uv.tolist()], fill=colour, width=width)


def plot_examples(axes: Sequence[Sequence[Axes]], examples: Sequence[Example], trials: int) -> None:
    """One row per example, one column per frame; a row without a trial says so. trials: of how many."""
    for row, example in zip(axes, examples, strict=True):
        for ax in row:
            ax.set_axis_off()
        for ax, (phase, image) in zip(row, example.frames, strict=False):
            ax.imshow(image)
            ax.text(6, 8, phase, va="top", fontsize=8, bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 2})
        told = row[len(example.frames)] if len(example.frames) < len(row) else None
        if told is not None:
            told.text(0.03, 0.5, _how_it_ended(example, trials), transform=told.transAxes, va="center", fontsize=8)
        row[0].set_title(_headline(example), loc="left")


def _headline(example: Example) -> str:
    if example.record is None:
        return example.title
    outcome = example.record["outcome"]
    told = f"{example.title}: {example.record['object']}" + ("" if outcome == example.title else f" ({outcome})")
    return f"{told}\n{policy_label(example.record['policy'])}"


def _how_it_ended(example: Example, trials: int) -> str:
    if example.record is None:
        return f"none among {trials} trials\nat this profile"
    moved = "nothing moved:" if example.record["outcome"] == Outcome.REFUSED else "the end:"
    return f"{moved}\n{textwrap.fill(str(example.record['reason']), 34)}"


def examples_table(examples: Sequence[Example]) -> pd.DataFrame:
    """What Figure 7 shows, as data."""
    keys = ("policy", "object", "presentation", "outcome", "reason", "value")
    return pd.DataFrame([{"shown": e.title, **{k: (e.record or {}).get(k) for k in keys}} for e in examples])


def ycb_appearance(attempts: pd.DataFrame) -> str:
    """How the YCB objects of recorded attempts looked; empty where none took part."""
    return ", ".join(look for look in (ycb.FLAT, ycb.TEXTURED) if attempts["models"].str.contains(look).any())


def plot_calibration_sweep(axes: Sequence[Axes], rates: pd.DataFrame) -> None:
    """Success with Wilson intervals against the hand-eye error: left its length (mm), right its angle (degrees).

    The error is added to those of arm and lens, which the twin has at 0 as well. Ticks are the measured errors.
    rates: from `dgrasp.twin.rates.sweep_rates`. Curves stand 1 % of the axis apart, so that equal ones show.
    """
    labels = {TRANSLATION: "added hand-eye error, position (mm)", ROTATION: "added hand-eye error, turn (degrees)"}
    for ax, (kind, label) in zip(axes, labels.items(), strict=True):
        here = rates[rates["kind"] == kind]
        apart = 0.01 * here["error"].max()
        for k, (policy, rows) in enumerate(here.groupby("policy", sort=False)):
            error = np.clip(np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]), 0, None)
            style: dict[str, Any] = {
                "fmt": "os"[k % 2] + "-",
                "color": policy_colour(str(policy)),
                "label": policy_label(str(policy)),
            }
            ax.errorbar(rows["error"] + k * apart, rows["rate"], yerr=error, ms=4, lw=1.2, **style)
        ax.set(xlabel=label, xticks=sorted(set(here["error"])), ylabel="grasp success rate in the twin")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_ylim(-0.02, min(1.02, 0.1 * np.ceil(10 * float(rates["high"].max())) + 0.02))
    handles, named = axes[0].get_legend_handles_labels()
    title = f"n = {_numbers(rates['n'])} per point"
    axes[0].figure.legend(handles, named, loc="outside lower center", ncols=2, title=title)  # type: ignore[call-arg]


def _numbers(n: pd.Series) -> str:
    return str(n.min()) if n.min() == n.max() else f"{n.min()} to {n.max()}"


def twin_logs(studio: Studio) -> list[dict[str, TrialLog]]:
    """The logs of all policies' trials in the twin, training seed by training seed; first the studio's own."""

    def read() -> list[dict[str, TrialLog]]:
        own = studio.experiment
        return twin_logs_of([own, *(other for other in all_seeds(own) if other.seed != own.seed)])

    return studio.once("twin logs", read)


def trials_in_the_twin(studio: Studio) -> pd.DataFrame:
    """Every trial in the twin that has a verdict, of all training seeds."""
    return pd.concat([log.judged for logs in twin_logs(studio) for log in logs.values()], ignore_index=True)


def draw_tab02(studio: Studio, hardware: Sequence[Path] = ()) -> Drawn:
    """Ours in the twin, the hardware's column, and the paper's rates. hardware: a lab's own logs."""
    own, *others = twin_logs(studio)
    every = [log for logs in (own, *others) for log in logs.values()]
    paths = [[log.path for log in logs.values()] for logs in (own, *others)]
    rows = table_2([*paths[0], *hardware], other_seeds=paths[1:])
    banners = dict.fromkeys(log.banner for log in [*every, *map(read_log, hardware)])
    looks = ", ".join(sorted({log.header["devices"]["YCB models"] for log in every}))
    runs = studio.experiment.used() | _of_seeds(studio, "twin-trials", lambda one: one.twin_trials())
    facts = {"banners": " ".join(banners), "hardware": ", ".join(path.name for path in hardware) or "no log, no number"}
    facts |= {"networks": _networks(studio)}
    return Drawn(None, rows, runs, facts, with_labels(printable_2(rows)), ycb_appearance=looks)


def draw_fig07(studio: Studio) -> Drawn:
    """One trial in the twin for each way to end, planned and executed again."""
    experiment, finer = studio.experiment, 1 if studio.size.finer == 1 else 2
    trials = pd.concat([log.judged for log in twin_logs(studio)[0].values()], ignore_index=True)
    examples = [
        Example(title, record, _filmed(studio, record, finer) if record else ())
        for title, record in choose_examples(trials).items()
    ]
    figure, axes = plt.subplots(len(examples), 1 + len(SHOWN), figsize=(11.0, 6.4))
    plot_examples(axes, examples, len(trials))
    letter_panels([row[0] for row in axes])
    figure.get_layout_engine().set(rect=(0, 0, 1, 0.96))  # type: ignore[union-attr, call-arg]
    facts = {"trials": len(trials), "shown": studio.size.shown, "starts": studio.size.starts, **how_they_end(examples)}
    return Drawn(figure, examples_table(examples), experiment.used() | {"twin-trials": experiment.twin_trials()}, facts)


def how_they_end(examples: Sequence[Example]) -> dict[str, str]:
    """What is said of the examples: in the title `outcomes`, in the caption `ways`, also those that did not happen."""
    ways = [f"{example.title} (none)" if example.record is None else example.title for example in examples]
    found = [example.title for example in examples if example.record is not None]
    return {"ways": "; ".join(ways), "outcomes": ", ".join(found) or "none"}


def _filmed(studio: Studio, record: dict, finer: int) -> tuple[Frame, ...]:
    """A trial, with a plan in which all starts climb to the end; its policy is prepared as for the trials."""
    experiment = studio.experiment
    p = experiment.profile
    climbing = experiment.policy(record["policy"], pruning=(), pruning_first=None, n_starts=studio.size.starts)
    policy = for_real_robot(climbing, SafetyLimits(cell=p.cell.description))
    world = (p.twin.reality, p.cell, experiment.observer, experiment.seed)
    return film_trial(record, *world, finer, policy, studio.size.shown)


def sweep(studio: Studio) -> pd.DataFrame:
    """Attempts in the twin under added calibration errors, of all training seeds."""

    def read() -> pd.DataFrame:
        swept = [read_attempts(one.calibration_sweep()) for one in all_seeds(studio.experiment)]
        return pd.concat(swept, ignore_index=True)

    return studio.once("sweep", read)


def _networks(studio: Studio) -> str:
    """Those of all training seeds, which are counted together."""
    return studio.networks(one.seed for one in all_seeds(studio.experiment))


def _of_seeds(studio: Studio, name: str, stage: Callable[[Experiment], Run]) -> dict[str, Run]:
    """A stage's run of each training seed, by names for a sidecar."""
    own, seeds = studio.experiment.seed, all_seeds(studio.experiment)
    return {name if one.seed == own else f"{name}, seed {one.seed}": stage(one) for one in seeds}


def draw_calibration(studio: Studio) -> Drawn:
    """Success against the camera's error, in millimetres and in degrees."""
    attempts = sweep(studio)
    rates = sweep_rates(attempts)
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.2), sharey=True)
    plot_calibration_sweep(axes, rates)
    letter_panels(axes)
    runs = _of_seeds(studio, "calibration-sweep", lambda one: one.calibration_sweep())
    facts = {"n": _numbers(rates["n"]), "ends": which_hurts_more(rates), "networks": _networks(studio)}
    return Drawn(figure, rates, runs, facts, ycb_appearance=ycb_appearance(attempts))


def which_hurts_more(rates: pd.DataFrame) -> str:
    """A sentence for each policy: its rate without an added error, at the largest length and at the largest angle."""
    said = []
    for policy, rows in rates.groupby("policy", sort=False):
        none = rows[rows["error"] == 0]["rate"].iloc[0]
        parts = []
        for kind, unit in ((TRANSLATION, "mm"), (ROTATION, "degrees")):
            some = rows[rows["kind"] == kind]
            most = some.loc[some["error"].idxmax()]
            parts.append(f"{most.rate:.2f} at {most.error:g} {unit}")
        said.append(f"{policy_label(str(policy))} lifts {none:.2f} without an added error, {' and '.join(parts)}.")
    return " ".join(said)
