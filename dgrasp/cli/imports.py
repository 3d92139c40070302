"""`dgrasp import`: demonstrations of other tools, checked, drawn, and written as a run to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

from dgrasp.cli.options import CELL, add_command, file_to_write, folder, named, place, refuse_idle

PICTURE, BUILD = Path("import_check.png"), Path("build/import")
POSE = "observation.state"
FORMATS = ("lerobot", "robomimic", "folder")
TEXT = """\
Read demonstrations that other tools keep: a LeRobot dataset (version 3), a robomimic HDF5 file, or a plain folder (an
episode a folder, with images, transforms.json and trajectory.csv). OWN_DEMONSTRATIONS.md says what they must hold. With
--check nothing is written but a picture: the ways of the hand and the axes of the grasps, drawn into what the cameras
saw; what writing would refuse is refused after that. Otherwise they become a run of demonstrations below --build, on
which policies are trained as on the simulator's."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "import", "demonstrations of other tools", TEXT)
    parser.add_argument("source", type=place, metavar="SOURCE", help="a dataset's folder, or a file")
    parser.add_argument("--format", choices=FORMATS, required=True, help="what it is")
    parser.add_argument("--check", action="store_true", help="say what is found, and draw it")
    parser.add_argument("--picture", type=file_to_write, metavar="FILE", help=f"a .png file ({PICTURE})")
    parser.add_argument("--cameras", type=place, metavar="FILE", help="calibration, where the format has none")
    parser.add_argument("--convention", choices=("opencv", "opengl", "colmap"), help="of the cameras' poses")
    parser.add_argument(
        "--unit", choices=("m", "mm"), default="m", help="of positions; near cameras are in m (%(default)s)"
    )
    parser.add_argument(
        "--frame", choices=("world", "base"), default="world",
        help="that hands and cameras are stated in: the cell's world, or its arm's base (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--closing", choices=("x", "y"), default="x", help="the hand's axis across its fingers (%(default)s)"
    )
    parser.add_argument("--pose", type=named, help=f"LeRobot's feature of the hand ({POSE})")
    parser.add_argument("--cell", type=named, metavar="FILE", help=CELL)
    parser.add_argument("--build", type=folder, help=f"its folder of runs ({BUILD})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    refuse_idle("--picture", options.picture, unless=options.check, goes_with="--check")
    refuse_idle("--build", options.build, unless=not options.check, goes_with="what is written, without --check,")
    refuse_idle("--pose", options.pose, unless=options.format == "lerobot", goes_with="--format lerobot")
    unless = options.format != "folder"
    refuse_idle("--cameras", options.cameras, unless=unless, goes_with="lerobot and robomimic (a folder has its own)")
    from dgrasp.cell.place import read_place
    from dgrasp.data.imports.check import read_import
    from dgrasp.robot.limits import SafetyLimits

    picture = options.picture or PICTURE
    if options.check:
        from dgrasp.report.figures.own_picture import check_picture

        check_picture(picture)  # before all episodes are read
    place = read_place(options.cell)
    episodes, lines = read_import(
        options.source, options.format, cameras=options.cameras, unit=options.unit, convention=options.convention,
        pose=options.pose or POSE, place=place, tilt=SafetyLimits().tilt,
        frame=options.frame, closing=options.closing,
    )  # fmt: skip
    print(*lines, sep="\n")
    if options.check:
        from dgrasp.data.imports.episode import ImportRefused
        from dgrasp.data.imports.problems import problem_as_a_run
        from dgrasp.report.figures.imported import draw_import

        print(draw_import(episodes, picture))
        if problem := problem_as_a_run(episodes):
            raise ImportRefused(problem)
        return
    from dgrasp.cell.config import CellConfig
    from dgrasp.data.imports.run import demonstrations_of

    cell = CellConfig.model_validate({"description": options.cell})
    print(demonstrations_of(episodes, options.build or BUILD, cell).path)
