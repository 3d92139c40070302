"""The sheet as a page to print: PDF, SVG or PNG in true size, with a line to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from dgrasp.cell.sheet import FAMILY, MODULES, Sheet
from dgrasp.files import atomic_path
from dgrasp.lazy import required

INCH = 0.0254
PAGES = {"a4": (0.297, 0.210), "letter": (0.2794, 0.2159), "a3": (0.420, 0.297)}  # width, height, m
FORMATS = (".pdf", ".svg", ".png")
BORDER = 0.012  # m that printers leave white, and the pattern's own white margin
RULER = 0.100  # m


def write_sheet(sheet: Sheet, path: Path, page: str = "a4", dpi: int = 300) -> Path:
    """Draw the sheet on a page, to be printed at 100 %. Raises ValueError for another suffix, or if it does not fit."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    if page not in PAGES:
        raise ValueError(f"page: unknown {page!r}; pages: {', '.join(PAGES)}")
    width, height = PAGES[page]
    if any(side + 2 * BORDER > whole for side, whole in zip(sheet.size, (width, height), strict=True)):
        size = " x ".join(f"{1000 * side:.0f}" for side in sheet.size)
        raise ValueError(
            f"page: the pattern is {size} mm and does not fit on {page} with {1000 * BORDER:.0f} mm around"
        )
    with matplotlib.rc_context({"svg.hashsalt": "sheet", "svg.fonttype": "path"}):
        figure = _page(sheet, width, height)
        with atomic_path(path) as temporary:
            form = path.suffix.lower().removeprefix(".")
            dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[form]
            figure.savefig(temporary, format=form, dpi=dpi, metadata=dated)
    return path


def _page(sheet: Sheet, width: float, height: float) -> Figure:
    """The whole page in metres, the sheet's origin in its middle."""
    figure = Figure(figsize=(width / INCH, height / INCH), facecolor="white")
    figure.set_layout_engine("none")  # whatever a style says
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-width / 2, width / 2), ylim=(-height / 2, height / 2))
    axes.set_axis_off()
    axes.add_patch(PathPatch(_outline(_black(sheet)), facecolor="black", linewidth=0, antialiased=False))
    style: dict[str, Any] = {"fontsize": 7, "va": "center", "ha": "center", "color": "black"}
    upper, lower = sheet.size[1] / 2, -height / 2 + BORDER / 2 + 0.004
    axes.annotate("", (0, height / 2 - 0.004), (0, upper + 0.004), arrowprops={"arrowstyle": "->", "lw": 0.8})
    axes.text(0.004, (upper + height / 2) / 2, "objects on this side", **{**style, "ha": "left"})
    axes.plot([-RULER / 2, RULER / 2], [lower, lower], color="black", lw=0.6, marker="|", markersize=6)
    kind = f"{sheet.kind}, {sheet.columns} x {sheet.rows}, side {1000 * sheet.side:.4g} mm"
    kind += f", gap {1000 * sheet.gap:.4g} mm" if sheet.kind == "apriltags" else ""
    line = f"{1000 * RULER:.0f} mm: print at 100 % and measure this line.  {kind}"
    axes.text(0, lower - 0.004, line, **style)
    return figure


def _black(sheet: Sheet) -> list[Float[np.ndarray, "4"]]:
    """Black rectangles in the sheet's frame: left, lower, width, height; metres."""
    left, upper = -sheet.size[0] / 2, sheet.size[1] / 2
    if sheet.kind == "checkerboard":
        rows, columns = np.mgrid[: sheet.rows, : sheet.columns]
        return _runs((rows + columns) % 2 == 0, left, upper, sheet.side)
    found = []
    for i in range(sheet.columns * sheet.rows):
        row, column = divmod(i, sheet.columns)
        modules = _tag(sheet.first_tag + i)
        found += _runs(modules, left + column * sheet.pitch, upper - row * sheet.pitch, sheet.side / MODULES)
    return found


def _tag(number: int) -> Bool[np.ndarray, "8 8"]:
    """Which modules of a tag are black, the upper row first."""
    cv2 = required("cv2", "a sheet of tags", "photos")
    family = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, FAMILY))
    return cv2.aruco.generateImageMarker(family, number, MODULES) < 128


def _runs(black: Bool[np.ndarray, "rows columns"], left: float, upper: float, side: float) -> list[np.ndarray]:
    """Neighbours of a row as one rectangle."""
    found = []
    for row, line in enumerate(black):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line, [0]])))
        for begin, end in edges.reshape(-1, 2):
            found.append(np.array([left + begin * side, upper - (row + 1) * side, (end - begin) * side, side]))
    return found


def _outline(rectangles: list[np.ndarray]) -> Outline:
    return Outline.make_compound_path(
        *(Outline([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)], closed=True) for x, y, w, h in rectangles)
    )
