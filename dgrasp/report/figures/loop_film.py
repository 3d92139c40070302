"""The closed loop as an animation: an object is pushed; a plan is executed blindly, and the arm follows the slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dgrasp import streams
from dgrasp.cameras import Intrinsics, view_from_sphere
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.evaluation.attempt import attempt
from dgrasp.evaluation.closed_loop import ClosedLoop
from dgrasp.evaluation.loop_series import LOOPS, PUSH, Condition, Remembered, straight
from dgrasp.report.figures.animation import as_image
from dgrasp.report.figures.climbs import shown
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.optimization import central_scene
from dgrasp.report.outputs import NO_OBJECTS, Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task

WANTED = ("dgrasp_quat_sync",)
PUSHED = Condition(PUSH, 5.0)
FRAME, LAST = 150, 2500  # milliseconds that a picture is shown
STILLS = 4  # moments in print
SIZE = (320, 240)  # of a picture, pixels
MIDDLE, AWAY = BOARD_CENTRE + np.array([0.0, 0.0, 0.12]), (1.35, np.radians(60.0), np.radians(68.0))


@dataclass(frozen=True, eq=False)
class Filmed:
    """One attempt. seconds: simulated, of each picture. Ts_world_tcp: the way from the pre-grasp on."""

    pictures: list[UInt8[np.ndarray, "h w 3"]]
    seconds: list[float]
    Ts_world_tcp: Float[np.ndarray, "n 4 4"]
    looks: int
    outcome: Outcome | None

    def at(self, second: float) -> UInt8[np.ndarray, "h w 3"]:
        """The last picture until then."""
        return self.pictures[max(0, int(np.searchsorted(self.seconds, second, side="right")) - 1)]


class FilmedSimulation(SteeredSimulation):
    """Keeps a picture from the side every `every` seconds of its own time. finer: pixels for each that is kept."""

    every, finer = 0.15, 1

    def begin(self) -> None:
        """Forget the pictures of the attempt before."""
        self.pictures: list[np.ndarray] = []
        self.seconds: list[float] = []

    def _protocol(self, *parts: Any) -> Any:
        protocol = super()._protocol(*parts)
        protocol.watch = self._watch
        return protocol

    def _watch(self, phase: str) -> None:
        now = self._simulator.world.seconds
        if not self.seconds or now >= self.seconds[-1] + self.every:
            T_world_cam = view_from_sphere(torch.from_numpy(MIDDLE), *AWAY).numpy()
            fine = Intrinsics.d415(*(self.finer * pixels for pixels in SIZE))
            image = self._simulator.observe(T_world_cam[None], fine).images[0]
            self.pictures.append(np.asarray(Image.fromarray(image).reduce(self.finer)))
            self.seconds.append(now)


def filmed(studio: Studio) -> dict[str, Filmed]:
    """The same plan in both loops, in the central scene of the task: the attempts that the series counts there, too."""
    return studio.once("filmed loops", lambda: _film(studio))


def _film(studio: Studio) -> dict[str, Filmed]:
    experiment, loops = studio.experiment, studio.experiment.profile.closed_loop
    (name,) = shown(WANTED, experiment.profile.evaluation.policies)
    policy = experiment.policy(name)
    index, seed = central_scene(studio, loops.task), experiment.seed
    with FilmedSimulation(experiment.profile.cell, experiment.observer, steps=loops.steps) as cell:
        cell.finer, cell.every = (2, 0.15) if studio.size.finer > 1 else (1, 0.6)
        scene = task(loops.task, cell.description).scene(split="test", index=index, seed=seed)
        cell.correct_cameras = loops.correct_cameras
        cell.disturbance, cell.disturbance_address = PUSHED.moves(), (PUSHED.disturbance, scene.task, index)
        planner, closed = Remembered(policy), ClosedLoop(cell, policy, loops.ascent, seed=seed)
        return {loop: _attempted(cell, closed if loop == "closed" else cell, planner, scene, seed) for loop in LOOPS}


def _attempted(cell: FilmedSimulation, acts: Any, planner: Remembered, scene: Scene, seed: int) -> Filmed:
    cell.begin()
    cell.show(scene)
    generator = streams.torch_generator(seed, "closed-loop", "starts", scene.task, scene.index)
    made = attempt(acts, planner, generator, rehearse=False)
    T = made.T_world_tcp
    way = cell.led or ([] if T is None else list(straight(T, cell.approach_distance)))
    looks = len(acts.servo.looks) if isinstance(acts, ClosedLoop) and acts.servo is not None else 0
    if not cell.pictures:  # nothing moved: the plan cannot be executed
        cell._watch("home")
    return Filmed(cell.pictures, cell.seconds, np.array(way).reshape(-1, 4, 4), looks, made.outcome)


def draw_closed_loop_motion(studio: Studio) -> Drawn:
    """All pictures side by side, at the same simulated second; in print some moments of both."""
    found = filmed(studio)
    every = FilmedSimulation.every if studio.size.finer > 1 else 0.6
    moments = np.arange(0.0, max(one.seconds[-1] for one in found.values()) + every, every)
    frames = [as_image(_frame(found, second, last=second == moments[-1])) for second in moments]
    settings = studio.experiment.profile.closed_loop
    facts: dict[str, object] = {"scene": central_scene(studio, settings.task), "of": studio.size.candidates}
    facts |= {"task": settings.task, "centimetres": f"{PUSHED.size:g}", "looks": found["closed"].looks}
    facts |= {f"{loop}_ended": _ended(one) for loop, one in found.items()}
    times = [*[FRAME] * (len(frames) - 1), LAST]
    data = pd.concat([_way(loop, one) for loop, one in found.items()])
    runs = studio.experiment.used()
    return Drawn(
        _still(found, moments), data, runs, facts, frames=frames, milliseconds=times, ycb_appearance=NO_OBJECTS
    )


def _way(loop: str, one: Filmed) -> pd.DataFrame:
    p = one.Ts_world_tcp[:, :3, 3].round(5)
    return pd.DataFrame({"loop": loop, "pose": range(len(p)), **{axis: p[:, i] for i, axis in enumerate("xyz")}})


def _ended(one: Filmed) -> str:
    return "lifted" if one.outcome is Outcome.SUCCESS else "not lifted" if one.outcome is None else one.outcome.value


def _frame(found: dict[str, Filmed], second: float, last: bool) -> Figure:
    figure, axes = plt.subplots(1, len(found), figsize=(5.8, 2.5))
    for ax, (loop, one) in zip(axes, found.items(), strict=True):
        ended = last or second > one.seconds[-1]
        _show(ax, one.at(second), f"{loop} loop", _ended(one) if ended else f"{second:.1f} s")
    return figure


def _still(found: dict[str, Filmed], moments: np.ndarray) -> Figure:
    figure, axes = plt.subplots(len(found), STILLS, figsize=(9.0, 4.0))
    for row, (loop, one) in zip(axes, found.items(), strict=True):
        for ax, second in zip(row, np.linspace(0.25, 1.0, STILLS) * one.seconds[-1], strict=True):
            end = second == one.seconds[-1]
            _show(ax, one.at(second), f"{loop} loop", _ended(one) if end else f"{second:.1f} s")
    letter_panels(axes.ravel())
    return figure


def _show(axes: Axes, image: UInt8[np.ndarray, "h w 3"], title: str, below: str) -> None:
    axes.imshow(image)
    axes.set(title=title, xticks=[], yticks=[])
    axes.set_xlabel(below, fontsize=8)
    axes.spines[:].set_visible(False)
