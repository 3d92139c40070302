"""The slope explorer's picture, put together from panels, of which only those that changed are drawn again.

Drawing all of it takes as long as computing what it shows. So a `Canvas` keeps the pixels of every panel: what stays
while a candidate climbs (`still`) is drawn when it changes, what a step moves (`moving`) is drawn on a copy of that.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

Box = tuple[float, float, float, float]
SIZE, DPI = (11.6, 4.9), 100  # inches: as wide as a notebook's cell on a laptop's screen

# Shares of the figure: the axes (left, bottom, width, height), and the part of the picture that is its panel's alone
# (left, bottom, right, top), with room for labels. Panels tile the picture.
PLACES: dict[str, tuple[Box, Box]] = {
    "model 0": ((0.055, 0.18, 0.305, 0.70), (0.0, 0.07, 0.375, 1.0)),
    "model 1": ((0.390, 0.18, 0.305, 0.70), (0.375, 0.07, 0.705, 1.0)),
    "camera 0": ((0.712, 0.57, 0.142, 0.31), (0.705, 0.52, 0.857, 0.93)),
    "camera 1": ((0.858, 0.57, 0.142, 0.31), (0.857, 0.52, 1.0, 0.93)),
    "values": ((0.755, 0.18, 0.235, 0.27), (0.705, 0.07, 1.0, 0.52)),
    "note": ((0.705, 0.93, 0.290, 0.07), (0.705, 0.93, 1.0, 1.0)),
    "keys": ((0.045, 0.0, 0.95, 0.07), (0.0, 0.0, 1.0, 0.07)),
}


def _nothing(axes: Axes) -> None:
    """A panel that no step moves."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One part of the picture. place: of PLACES. shows: what `still` depends on; equal means that pixels may stay."""

    place: str
    shows: Hashable
    still: Callable[[Axes], None]
    moving: Callable[[Axes], None] = _nothing


def empty_figure() -> Figure:
    """The explorer's axes without content."""
    with rc_context({"figure.constrained_layout.use": False}):  # it would cost as much as all the drawing
        figure = Figure(figsize=SIZE, dpi=DPI)
    FigureCanvasAgg(figure)
    for place, (axes, _) in PLACES.items():
        figure.add_axes(axes, label=place).set_visible(False)
    return figure


def draw_whole(panels: Sequence[Panel]) -> Figure:
    """All panels on a fresh figure: what headless runs, the site and print show."""
    figure = empty_figure()
    on = {str(axes.get_label()): axes for axes in figure.axes}
    for panel in panels:
        on[panel.place].set_visible(True)
        panel.still(on[panel.place])
        panel.moving(on[panel.place])
    return figure


class Canvas:
    """The picture as pixels, kept from one choice to the next."""

    def __init__(self) -> None:
        self.figure = empty_figure()
        self.axes = {str(axes.get_label()): axes for axes in self.figure.axes}
        self.renderer = self.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        self.pixels: UInt8[np.ndarray, "h w 4"] = np.asarray(self.renderer.buffer_rgba())
        self.pixels[:] = 255
        self._kept: dict[str, tuple[Hashable, np.ndarray]] = {}

    def draw(self, panels: Sequence[Panel]) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of these panels; places without one are left white."""
        for place in PLACES.keys() - {panel.place for panel in panels}:
            self._part(place)[:] = 255
            self._kept.pop(place, None)
        for panel in panels:
            self._draw(panel)
        return self.pixels[..., :3]

    def _draw(self, panel: Panel) -> None:
        axes, part = self.axes[panel.place], self._part(panel.place)
        if panel.place in self._kept and self._kept[panel.place][0] == panel.shows:
            part[:] = self._kept[panel.place][1]
        else:
            self._draw_still(panel, axes, part)
        before = axes.get_children()
        panel.moving(axes)
        for artist in [child for child in axes.get_children() if child not in before]:
            axes.draw_artist(artist)
            artist.remove()

    def _draw_still(self, panel: Panel, axes: Axes, part: np.ndarray) -> None:
        self._kept.pop(panel.place, None)  # if drawing fails, nothing is known of these pixels
        _wipe(axes)
        part[:] = 255
        axes.set_visible(True)
        panel.still(axes)
        axes.draw(self.renderer)
        self._kept[panel.place] = (panel.shows, part.copy())

    def _part(self, place: str) -> np.ndarray:
        """The pixels of a place."""
        left, bottom, right, top = PLACES[place][1]
        height, width = self.pixels.shape[:2]
        rows = slice(round(height * (1 - top)), round(height * (1 - bottom)))
        return self.pixels[rows, round(width * left) : round(width * right)]


def to_png(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """PNG bytes, compressed lightly because someone is waiting."""
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, format="png", compress_level=1)
    return target.getvalue()


def _wipe(axes: Axes) -> None:
    """Take away what is drawn, and keep the axes: making them anew is dear."""
    if legend := axes.get_legend():
        legend.remove()
    for artist in [*axes.lines, *axes.collections, *axes.images, *axes.texts]:
        artist.remove()
    axes.set_prop_cycle(None)
