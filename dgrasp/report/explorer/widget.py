"""Controls for the slope explorer. Thin: every change becomes a `Choice`, which `Explorer.figure` draws."""

from __future__ import annotations

import html
import math
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
from pydantic import ValidationError

from dgrasp.policy.policies import CONTROLS, POLICIES, policy_spec
from dgrasp.report.explorer.canvas import Canvas
from dgrasp.report.explorer.explorer import Choice, Explorer, with_optimizer
from dgrasp.report.explorer.pose_slice import AXES, HALF_WIDTHS, SCALES, UNITS, PoseSlice
from dgrasp.report.names import model_label, policy_label

GRIDS = {"fast: 11 x 11": 11, "17 x 17": 17, "fine: 25 x 25": 25}
ADAM = ("steps", "translation_rate", "rotation_rate", "translation_decay", "rotation_decay")
STYLE = {"description_width": "118px"}
SHORT = {"mm": "mm", "degrees": "°"}
WIDE = w.Layout(width="325px")


class ExplorerWidget:
    """Binds controls to an explorer. `panel` is what a notebook displays, `image` what it shows; `status` says why not.

    Controls are attributes of the names of what they choose; `choice` is what they say at the moment.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.canvas = explorer, Canvas()
        self.image, self.status = w.Image(format="png", layout=w.Layout(max_width="1160px")), w.HTML()
        self.status.add_class("explorer-status")  # for tests in a browser
        self._busy = False
        self._make_controls()
        self.panel = self._lay_out()
        for control in self._drawn:
            control.observe(self._redraw, "value")
        self.settings.observe(self._apply_settings, "value")
        for control in (self.horizontal, self.vertical):
            control.observe(self._show_offsets, "value")
        self._show_offsets()
        self._apply_settings()

    @property
    def choice(self) -> Choice:
        """What the controls say; raises ValueError for settings that exclude each other."""
        offsets = tuple(s.value / scale for s, scale in zip(self.offsets, SCALES, strict=True))
        adam = {name: getattr(self, name).value for name in ADAM}
        base = Choice(
            models=(self.left.value, self.right.value),
            scene=self.scene.value,
            pose_slice=PoseSlice.around((self.horizontal.value, self.vertical.value), self.zoom.value, offsets),
            start=(self.start_horizontal.value, self.start_vertical.value),
            optimizer=self.explorer.settings[self.settings.value],
            representation=self.representation.value,
            schedule=self.schedule.value,
            step=self.step.value,
            grid=self.grid.value,
        )
        return with_optimizer(base, **adam)

    def _make_controls(self) -> None:
        first, names = self.explorer.start, [(model_label(name), name) for name in self.explorer.values]
        scenes = [(f"{d.scene}.{d.stage}: {d.object}", i) for i, d in enumerate(self.explorer.demonstrations)]
        self.scene = w.Dropdown(options=scenes, description="scene", style=STYLE, layout=WIDE)
        self.left = w.Dropdown(options=names, value=first.models[0], description="left", style=STYLE, layout=WIDE)
        self.right = w.Dropdown(options=names, value=first.models[1], description="right", style=STYLE, layout=WIDE)
        self.horizontal = w.Dropdown(options=AXES, value="x", description="horizontal", style=STYLE, layout=WIDE)
        self.vertical = w.Dropdown(options=AXES, value="y", description="vertical", style=STYLE, layout=WIDE)
        self.zoom = w.FloatLogSlider(
            1.0, base=2, min=-1, max=2, step=0.25, description="zoom", style=STYLE, layout=WIDE
        )
        self.offsets = [
            w.FloatSlider(
                0.0, min=-width * scale, max=width * scale, step=1.0, readout_format=".0f",
                description=f"{axis} ({SHORT[unit]})", style=STYLE, layout=WIDE,
            )
            for axis, unit, width, scale in zip(AXES, UNITS, HALF_WIDTHS, SCALES, strict=True)
        ]  # fmt: skip
        self.start_horizontal = self._share("start, across", first.start[0])
        self.start_vertical = self._share("start, up", first.start[1])
        settings = [(policy_label(n) if n in POLICIES or n in CONTROLS else n, n) for n in self.explorer.settings]
        self.settings = w.Dropdown(options=settings, description="settings of", style=STYLE, layout=WIDE)
        self.steps = w.IntSlider(20, min=1, max=64, description="steps", style=STYLE, layout=WIDE)
        self.translation_rate = self._rate("translation rate", -3, -0.5)
        self.rotation_rate = self._rate("rotation rate", -2.5, 0.5)
        self.translation_decay = self._decay("translation decay")
        self.rotation_decay = self._decay("rotation decay")
        self.schedule = w.Dropdown(options=["sync", "seq"], description="schedule", style=STYLE, layout=WIDE)
        self.representation = w.Dropdown(options=["quat", "6d"], description="rotation as", style=STYLE, layout=WIDE)
        self.step = w.IntSlider(0, min=0, max=20, description="step", style={"description_width": "40px"}, layout=WIDE)
        self.play = w.Play(min=0, max=20, interval=400, show_repeat=False)
        w.jslink((self.play, "value"), (self.step, "value"))
        self.grid = w.Dropdown(options=GRIDS, description="grid", style=STYLE, layout=WIDE)

    @property
    def _drawn(self) -> list[w.Widget]:
        """Controls whose change asks for another picture; all but `settings`, which only moves others."""
        names = ("scene", "left", "right", "horizontal", "vertical", "zoom", "start_horizontal", "start_vertical")
        more = ("schedule", "representation", "step", "grid")
        return [getattr(self, name) for name in (*names, *ADAM, *more)] + self.offsets

    def _lay_out(self) -> w.Widget:
        def column(title: str, *controls: w.Widget) -> w.Widget:
            return w.VBox([w.HTML(f"<b>{title}</b>"), *controls], layout=w.Layout(flex="0 0 340px"))

        look = (self.scene, self.left, self.right, self.horizontal, self.vertical, self.zoom)
        place = (*self.offsets, self.start_horizontal, self.start_vertical)
        climb = [getattr(self, name) for name in ADAM]
        columns = [
            column("What to look at", *look, self.grid),
            column("Where: offset from the grasp, start", *place),
            column("How to climb", self.settings, *climb, self.schedule, self.representation),
        ]
        beside = w.HBox(
            [self.play, self.step, self.status], layout=w.Layout(align_items="center", flex_flow="row wrap")
        )
        return w.VBox([w.HBox(columns, layout=w.Layout(flex_flow="row wrap")), beside, self.image])

    def _redraw(self, change: object = None) -> None:
        """Show the present choice, or say what is wrong with it and leave the last picture standing."""
        if self._busy:
            return
        started = time.perf_counter()
        try:
            choice = self.choice
            self._fit_step(choice)
            self.image.value = self.explorer.picture(choice, self.canvas)
        except Exception as error:  # whatever it is: out of a callback nobody would ever see it
            self.status.value = _said(error)
            return
        self.status.value = f"answered in {time.perf_counter() - started:.2f} s"

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Move controls without drawing after each."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _fit_step(self, choice: Choice) -> None:
        """The step slider reaches to the end of the path, and stays there if it was there."""
        steps, at_end = self.explorer.steps(choice), self.step.value == self.step.max
        with self._quietly():
            self.step.max = self.play.max = steps
            if at_end:
                self.step.value = steps

    def _apply_settings(self, change: object = None) -> None:
        """Move the controls of the optimizer to the chosen settings, then draw once."""
        name, settings = self.settings.value, self.explorer.settings[self.settings.value]
        with self._quietly():
            for key in ADAM:
                _set(getattr(self, key), getattr(settings, key))
            if name in {**POLICIES, **CONTROLS}:
                spec = policy_spec(name)
                self.representation.value, self.schedule.value = spec.representation, spec.schedule
            self.step.value = self.step.max
        self._redraw()

    def _show_offsets(self, change: object = None) -> None:
        """The slice's own axes have no offset."""
        for slider, axis in zip(self.offsets, AXES, strict=True):
            slider.disabled = axis in (self.horizontal.value, self.vertical.value)

    @staticmethod
    def _share(name: str, value: float) -> w.Widget:
        return w.FloatSlider(value, min=-1, max=1, step=0.05, description=name, style=STYLE, layout=WIDE)

    @staticmethod
    def _rate(name: str, low: float, high: float) -> w.Widget:
        return w.FloatLogSlider(
            0.02, min=low, max=high, step=0.05, readout_format=".3g", description=name, style=STYLE, layout=WIDE
        )

    @staticmethod
    def _decay(name: str) -> w.Widget:
        return w.FloatSlider(
            0.85, min=0.5, max=1.0, step=0.005, readout_format=".3f", description=name, style=STYLE, layout=WIDE
        )


def _set(control: w.Widget, value: float) -> None:
    """Set a slider, widened if the value lies outside: it would be moved to the nearest end without a word."""
    place = math.log(value, control.base) if isinstance(control, w.FloatLogSlider) else value
    if place < control.min:
        control.min = place - control.step  # a step more: logarithms are rounded
    if place > control.max:
        control.max = place + control.step
    control.value = value


def _said(error: Exception) -> str:
    """An error as text for the reader: what is wrong with the choice, or where the unexpected happened."""
    if isinstance(error, ValidationError):
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}, got {e['input']!r}" for e in error.errors()
        ]
        return _red("; ".join(wrong))
    if isinstance(error, ValueError | IndexError):
        return _red(str(error))
    where = html.escape("".join(traceback.format_exception(error)))
    what = _red(f"unexpected {type(error).__name__}: {error}. The picture is that of the last choice that worked.")
    return f"{what}<details><summary>where</summary><pre>{where}</pre></details>"


def _red(text: str) -> str:
    return f"<span style='color:#b00'>{html.escape(text)}</span>"
