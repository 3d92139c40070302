"""`dgrasp calibrate`: hand-eye calibration from the shell, with a robot, from kept pictures, or for practice.

With `--standing`, cameras that stand, from a picture each of the sheet on the table.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dgrasp.cli.options import CELL, add_command, folder, named, positive, refuse_idle, whole

if TYPE_CHECKING:
    from dgrasp.robot.calibration.board import Board
    from dgrasp.robot.calibration.hand_eye import HandEyeCalibration
    from dgrasp.robot.calibration.synthetic import SyntheticCell

TEXT = """\
Where the camera sits on the wrist (T_tool0_cam), and its lens, from pictures of a printed board that lies still:
`dgrasp board board.pdf --kind charuco` prints it. With --arm and --camera you guide the arm by hand from picture to
picture; they are kept in FOLDER with the arm's poses (poses.csv) and the board (taken.json), and the same command goes
on after an interruption, if neither board nor camera was moved meanwhile. Without, the pictures that FOLDER has are
solved (again), of any arm. --practice fills FOLDER with the pictures of a made-up lab, and says how far off the truth
it is.
The result is FOLDER/calibration.json, or one line that says why it is refused, and what to do.

--standing is for cameras that stand: FOLDER has the sheet.yaml of `dgrasp board FOLDER/sheet.pdf`, whose page lies on
the table where `place` says, and a picture of each camera, left.png for the one called left. The result is
FOLDER/calibration.yaml, the section `calibration:` of the cell's file of the hardware (REAL_CELL.md)."""
VIEWS, LEAST = 20, 1.0  # mm: no square is smaller
SAME = 1e-9  # m: what the way through millimetres rounds
BOARDS = "pictures of the hand-eye calibration's board"
TOUCH = "the board's first corner lies at {} m in the world: touch it with a pointed tool; 2 mm are good"


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "calibrate", "hand-eye calibration with a printed board", TEXT)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="of the pictures, poses.csv and the result")
    parser.add_argument("--arm", type=named, metavar="ADDRESS", help="of the UR10's controller: take the pictures now")
    parser.add_argument("--camera", type=named, metavar="SERIAL", help="number of the D415 on the wrist, with --arm")
    parser.add_argument("--views", type=positive, help=f"pictures to take ({VIEWS})")
    parser.add_argument("--practice", action="store_true", help="a made-up lab instead of one's own")
    parser.add_argument("--seed", type=whole, help="of the made-up lab (0)")
    parser.add_argument("--columns", type=positive, help="squares of the board (as FOLDER's, else 7)")
    parser.add_argument("--rows", type=positive, help="squares of the board (as FOLDER's, else 5)")
    parser.add_argument("--square", type=float, metavar="MM", help="as measured on the print (as FOLDER's, else 35)")
    parser.add_argument("--marker", type=float, metavar="MM", help="as measured on the print (as FOLDER's, else 26)")
    parser.add_argument("--distorted", action="store_true", help="estimate the lens' distortion, too")
    parser.add_argument("--standing", action="store_true", help="of cameras that stand, a picture each of the sheet")
    parser.add_argument("--cell", type=named, metavar="FILE", help="whose table it is, with --standing: " + CELL)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dgrasp.robot.calibration.hand_eye import calibrate
    from dgrasp.robot.calibration.recorded import read_recorded, taken_with

    refuse_idle("--cell", options.cell, unless=options.standing, goes_with="--standing")
    if options.standing:
        return _stand(options)
    if (options.arm is None) != (options.camera is None) or (options.arm and options.practice):
        raise ValueError("--arm and --camera go together, and not with --practice")
    refuse_idle("--views", options.views, unless=options.arm or options.practice, goes_with="--arm and --practice")
    refuse_idle("--seed", options.seed is not None, unless=options.practice, goes_with="--practice")
    board = _board(options)
    if options.arm:
        _take(options, board)
    truth = _practise(options, board) if options.practice else None
    sightings, size, unseen = read_recorded(options.folder, board)
    print(f"{len(sightings)} pictures show the board, {unseen} do not")
    name = taken_with(options.folder).get("camera", "wrist")
    found = calibrate(board, sightings, size, camera=name, distorted=options.distorted)
    _say(found)
    if truth is not None:
        off = [1000 * (row[3] - true[3]) for row, true in zip(found.camera.T_mount_cam, truth.T_tool0_cam, strict=True)]
        print(f"off the truth by {sum(v * v for v in off[:3]) ** 0.5:.2f} mm")
    print(found.save(options.folder / "calibration.json", say=print))


def _board(options: argparse.Namespace) -> Board:
    """What the options say and what the folder's pictures were taken of; raises ValueError where these differ."""
    from dgrasp.robot.calibration.board import Board
    from dgrasp.robot.calibration.recorded import TAKEN, taken_of

    given, taken = _given(options), taken_of(options.folder)
    stated = {} if taken is None else {name: getattr(taken, name) for name in taken.model_fields_set}
    for name, value in given.items():
        if name in stated and not abs(value - stated[name]) <= SAME:
            here, there = (
                f"{v:g}" if name in ("columns", "rows") else f"{1000 * v:g} mm" for v in (value, stated[name])
            )
            raise ValueError(
                f"--{name}: {here}, but {options.folder / TAKEN} says {there} of its pictures; leave the option out, or"
                " correct the file if the print was measured anew"
            )
    return Board.model_validate(given | stated)


def _given(options: argparse.Namespace) -> dict[str, float]:
    """What the options say of the board, lengths in metres."""
    from dgrasp.robot.calibration.recorded import BOARD

    given = {name: value for name in BOARD if (value := getattr(options, name)) is not None}
    for name in ("square", "marker"):
        if 0 < given.get(name, 0) < LEAST:
            raise ValueError(f"--{name}: {given[name]:g} mm; expected are millimetres, are these metres?")
    return given | {name: given[name] / 1000 for name in ("square", "marker") if name in given}


def _stand(options: argparse.Namespace) -> None:
    from dgrasp.cell.place import read_place
    from dgrasp.robot.calibration.recorded import BOARD
    from dgrasp.robot.calibration.standing import EXACT, calibrate_standing, described, write_section

    for name in (*BOARD, "arm", "camera", "views", "seed", "practice", "distorted"):
        given = getattr(options, name)
        refuse_idle(f"--{name}", given is not None and given is not False, unless=False, goes_with=BOARDS)
    found = calibrate_standing(options.folder, read_place(options.cell))
    for camera in found.cameras:
        print(f"{camera.camera}: {camera.width}x{camera.height} px, fx {camera.fx:.1f}, fy {camera.fy:.1f} px")
        print("\n".join(f"  {line}" for line in described(camera.T_mount_cam)))
    print(f"calibration {found.id}: of rendered pictures of 640x480 pixels cameras were found to {EXACT};")
    print("the sheet's `place` adds its own error: measure it. Is the lens known? State it in a transforms.json")
    print(write_section(found, options.folder / "calibration.yaml", say=print))


def _take(options: argparse.Namespace, board: Board) -> None:
    from dgrasp.robot.calibration.recorded import KeptCamera, Recording, kept
    from dgrasp.robot.calibration.sightings import collect_sightings, measured_flange
    from dgrasp.robot.drivers.realsense import RealSenseCamera

    recording = Recording(options.folder, {"camera": options.camera, **_stated(board)})
    missing = (options.views or VIEWS) - recording.seen(board)
    if missing < 1:
        return
    if recording.rows:
        print(f"{len(recording.rows)} pictures are kept, {missing} more are taken; has the board lain still?")
    opened = RealSenseCamera(options.camera, width=640, height=480)
    camera = KeptCamera(opened)
    try:
        opened.warm_up()
        measure = kept(recording, camera, lambda: measured_flange(options.arm))
        collect_sightings(board, camera, measure, views=missing)
    finally:
        camera.close()


def _stated(board: Board) -> dict[str, object]:
    """The board as a folder's pictures keep it, metres."""
    from dgrasp.robot.calibration.recorded import BOARD

    return {name: getattr(board, name) for name in BOARD}


def _practise(options: argparse.Namespace, board: Board) -> SyntheticCell:
    import numpy as np

    from dgrasp.robot.calibration.recorded import Recording
    from dgrasp.robot.calibration.synthetic import SyntheticCell

    rng = np.random.default_rng(options.seed or 0)
    views = options.views or VIEWS
    lab, taken = SyntheticCell.draw(rng, board), {"seed": options.seed or 0, "views": views, **_stated(board)}
    recording = Recording(options.folder, taken)
    for T_world_tool0 in list(lab.postures(rng, views))[len(recording.rows) :]:
        recording.add(lab.photograph(T_world_tool0), T_world_tool0)
    return lab


def _say(found: HandEyeCalibration) -> None:
    from dgrasp.robot.calibration.standing import described

    left, camera = found.residuals, found.camera
    print(
        f"calibration {found.id}: {left.pixels:.2f} px, {left.millimetres:.2f} mm, {left.degrees:.2f} degrees are left"
    )
    x, y, z = (1000 * row[3] for row in camera.T_mount_cam[:3])
    print(f"the camera sits {x:.1f}, {y:.1f}, {z:.1f} mm from the flange; fx {camera.fx:.1f}, fy {camera.fy:.1f} px")
    print("for a cell's description, `mounted: flange`:")
    print("\n".join(f"  {line}" for line in described(camera.T_mount_cam)))
    print(TOUCH.format(", ".join(f"{row[3]:.4f}" for row in found.T_world_board[:3])))
