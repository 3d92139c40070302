"""`dgrasp diagnose`: at which stage plans fail."""

from __future__ import annotations

import argparse
from typing import Any

from dgrasp.cli.options import Once, add_command, add_experiment, experiment, named, positive

TEXT = """\
Plan and execute one grasp in each of some validation scenes, and say where those that fail went wrong: in the value
function (a wrong summit), in the climb (the summit was not reached) or in the execution."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "diagnose", "which stage failed where a plan did, on validation scenes", TEXT)
    add_experiment(parser)
    several: dict[str, Any] = {"type": named, "nargs": "+", "action": Once}
    parser.add_argument("--policies", **several, default=(), metavar="POLICY", help="default: the main contrast")
    parser.add_argument(
        "--tasks", **several, default=["simple", "clutter"], metavar="TASK", help="default: simple clutter"
    )
    parser.add_argument("--scenes", type=positive, default=20, help="of each task (20)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = experiment(options)
    from dgrasp.data.card import markdown_table
    from dgrasp.experiment.diagnosis import STAGES, counts, diagnose_all
    from dgrasp.experiment.replication import CONTRAST
    from dgrasp.files import check_writable, write_text
    from dgrasp.sim.tasks.paper import check_findable, check_task, task

    for name in options.tasks:
        check_findable(check_task(name))
        task(name)  # refused before anything is computed
    target = options.build / "diagnosis.csv"
    check_writable(target)
    found = diagnose_all(made, options.policies or CONTRAST, options.tasks, options.scenes)
    write_text(target, found.to_csv(index=False, lineterminator="\n"))
    print(markdown_table(counts(found)))
    print(*(f"{stage}: {meaning}" for stage, meaning in STAGES.items()), f"written: {target}", sep="\n")
