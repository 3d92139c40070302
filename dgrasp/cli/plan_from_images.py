"""`dgrasp plan-from-images`: ranked grasps for one's own photographs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from dgrasp.cli.options import (
    PUBLISHED,
    add_command,
    experiment,
    file_to_write,
    folder,
    named,
    place,
    positive,
    profile_name,
    whole,
)
from dgrasp.cli.quiet import load_pybullet

if TYPE_CHECKING:
    from dgrasp.cell.place import Place

TEXT = """\
Ranked grasps for photographs: positions of the tool centre point (metres) and unit quaternions (xyzw) in the world
frame, best first. The folder says where the cameras stood: by a printed sheet on the table (`dgrasp board`, and its
sheet.yaml), a transforms.json in nerfstudio's layout, or a COLMAP model; OWN_IMAGES.md explains them.
The published policies plan, those of the experiment beyond the paper once it is published (it says so).
With --profile and --build others do, and what those lack is trained first."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "plan-from-images", "grasps for photographs of your own", TEXT)
    parser.add_argument(
        "photos",
        type=place,
        metavar="FOLDER",
        help="photographs with their sheet.yaml, transforms.json or COLMAP model",
    )
    parser.add_argument("--policy", type=named, default="dgrasp_quat_sync", help="who plans (%(default)s)")
    parser.add_argument("-n", type=positive, default=10, help="grasps at most (%(default)s)")
    parser.add_argument("--output", type=file_to_write, metavar="FILE", help="a .csv file instead of the screen")
    parser.add_argument("--start-seed", "--seed", type=whole, default=0, help="of the starting poses (0)")
    parser.add_argument(
        "--profile",
        type=profile_name,
        help=f"whose policies (default: {PUBLISHED}:beyond once it is there, else {PUBLISHED})",
    )
    parser.add_argument("--build", type=folder, help="its folder of runs (build/<profile>)")
    parser.add_argument("--training-seed", dest="seed", type=whole, help="of that experiment (the first one published)")
    parser.add_argument(
        "--cell", type=named, metavar="FILE", help="the cell that the photographs are of (default: the profile's)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dgrasp.experiment.plan_from_images import checked_capture, other_hand, plan_capture

    asked = {"n": options.n, "seed": options.start_seed, "output": options.output}
    place = _place(options)
    capture = checked_capture(options.photos, place, **asked)  # before the simulator is loaded, or a policy trained
    for note in capture.notes:
        print(f"{options.photos}: {note}", file=sys.stderr)
    _whose(options)
    planning = experiment(options)
    if trained := other_hand(place, planning):
        print(
            f"--cell: the policy was trained for the {trained}, not for the {place.grip}: these are grasps of the "
            f"{trained.hand}, which the other hand may miss. Train one whose profile names the cell",
            file=sys.stderr,
        )
    table = plan_capture(capture, planning, options.policy, place, **asked)
    if not options.output:
        print(table.to_string(index=False, float_format=lambda v: f"{v:.4f}"))


def _place(options: argparse.Namespace) -> Place:
    """Of the cell that is named; else of the profile's. The published networks are of the paper's."""
    from dgrasp.cell.place import place_of, read_place

    if options.cell is not None or options.profile in (None, PUBLISHED):
        return read_place(options.cell)
    load_pybullet()
    from dgrasp.experiment.store import named_profile

    return place_of(named_profile(options.profile).cell.description)


def _whose(options: argparse.Namespace) -> None:
    """Fill in the experiment; says so where it is not the one that other commands mean by the published one."""
    load_pybullet()
    from dgrasp.experiment.store import first_seed, for_images

    if options.profile is None:
        options.profile = for_images()
        if options.profile != PUBLISHED:
            print(f"{options.policy} of {options.profile} plans; --profile {PUBLISHED} is the paper's", file=sys.stderr)
    options.seed = first_seed(options.profile) if options.seed is None else options.seed
