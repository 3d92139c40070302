"""`dgrasp board`: the sheet to print and lay on the table."""

from __future__ import annotations

import argparse
from pathlib import Path

from dgrasp.cli.options import add_command, file_to_write, positive, refuse_idle

TEXT = """\
Write a page to print: FILE.pdf, .svg or .png, in true size, and beside it sheet.yaml, which describes it. Photograph
the table with the page on it, put the photographs and sheet.yaml into one folder, and `dgrasp plan-from-images` knows
where the cameras stood. Measure the printed line and a tag, and correct `side` and `gap` in sheet.yaml: printers scale.
charuco is the board of the hand-eye calibration (`dgrasp calibrate`); it has no sheet.yaml."""
PAGE = "a4"
DEFAULTS = {"apriltags": (3, 2, 70.0), "checkerboard": (9, 6, 27.0), "charuco": (7, 5, 35.0)}  # side in mm

IN_METRES = 2e-4  # m: a smaller side was meant in metres, of up to 200 mm


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "board", "a sheet to print, that tells where cameras stand", TEXT)
    parser.add_argument("file", type=file_to_write, metavar="FILE", help="what to write, a new .pdf, .svg or .png")
    parser.add_argument("--kind", choices=DEFAULTS, default="apriltags", help="the pattern (%(default)s)")
    parser.add_argument("--page", help="a4, letter or a3, landscape (a4)")
    parser.add_argument("--columns", type=positive, help="tags or squares along the page")
    parser.add_argument("--rows", type=positive, help="and across it")
    parser.add_argument("--side", type=float, metavar="MM", help="of a tag or a square, millimetres")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.file.exists():
        raise FileExistsError(f"{options.file}: exists already, and is not replaced; choose another name")
    columns, rows, side = DEFAULTS[options.kind]
    columns, rows = options.columns or columns, options.rows or rows
    side = (options.side if options.side is not None else side) / 1000
    if 0 < side < IN_METRES:
        raise ValueError(f"--side: {1000 * side:g} mm; expected are 2 mm and more, are these metres, not millimetres?")
    if options.kind == "charuco":
        refuse_idle(
            "--page",
            options.page is not None,
            unless=False,
            goes_with="sheets; charuco's page is as large as the board",
        )
        return _hand_eye(options.file, columns, rows, side)
    from dgrasp.cell.sheet import NAME, Sheet, write_sheet_file
    from dgrasp.cell.sheet_page import write_sheet

    gap = side / 4 if options.kind == "apriltags" else 0.0
    sheet = Sheet(kind=options.kind, columns=columns, rows=rows, side=side, gap=gap)
    described = options.file.parent / NAME
    if described.exists():
        raise FileExistsError(f"{described}: exists already, and may hold what was measured; choose another folder")
    print(write_sheet(sheet, options.file, PAGE if options.page is None else options.page))
    print(write_sheet_file(sheet, described))


def _hand_eye(path: Path, columns: int, rows: int, side: float) -> None:
    from dgrasp.robot.calibration.board import Board, write_board

    marker = Board.model_fields["marker"].default / Board.model_fields["square"].default
    print(write_board(Board(columns=columns, rows=rows, square=side, marker=round(marker * side, 6)), path))
