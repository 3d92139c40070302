"""`dgrasp plan-from-images`: ranked grasps for one's own photographs."""

from __future__ import annotations

import argparse
from pathlib import Path

from dgrasp.cli.options import PUBLISHED, add_command, build_folder, file_to_write, positive, profile_name, whole
from dgrasp.cli.quiet import load_pybullet

TEXT = """\
Ranked grasps for photographs with known cameras: positions of the tool centre point (metres) and unit quaternions
(xyzw) in the world frame, best first. The folder holds a transforms.json in nerfstudio's layout; OWN_IMAGES.md explains
it. The published policies plan; with --profile and --build others do, and what those lack is trained first."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "plan-from-images", "grasps for photographs of your own", TEXT)
    parser.add_argument("photos", type=Path, metavar="FOLDER", help="photographs with their transforms.json")
    parser.add_argument("--policy", default="dgrasp_quat_sync", help="who plans (%(default)s)")
    parser.add_argument("-n", type=positive, default=10, help="grasps at most (%(default)s)")
    parser.add_argument("--output", type=file_to_write, metavar="FILE", help="a .csv file instead of the screen")
    parser.add_argument("--start-seed", "--seed", type=whole, default=0, help="of the starting poses (0)")
    parser.add_argument(
        "--profile", type=profile_name, default=PUBLISHED, help="whose policies (default: the published ones)"
    )
    parser.add_argument("--build", type=Path, help="its folder of runs (build/<profile>)")
    parser.add_argument("--training-seed", dest="seed", type=whole, default=0, help="of that experiment (0)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    load_pybullet()
    from dgrasp.experiment.plan_from_images import plan_photographs

    table = plan_photographs(
        options.photos,
        profile=options.profile,
        build=build_folder(options),
        policy=options.policy,
        n=options.n,
        seed=options.start_seed,
        output=options.output,
        training_seed=options.seed,
    )
    if options.output:
        print(f"{len(table)} grasps in {options.output}")
    else:
        print(table.to_string(index=False, float_format=lambda v: f"{v:.4f}"))
