"""`dgrasp eval-variant`: Table 1's policies with one thing otherwise, beside the table."""

from __future__ import annotations

import argparse

from dgrasp.cli import replications
from dgrasp.cli.options import Once, add_command, named

NAMES = ("everything-climbs", "papers-starts", "base-reported")  # of `dgrasp.experiment.variants.VARIANTS`
TEXT = """\
Evaluate policies of Table 1 once more on its own scenes and starts, with one thing otherwise.

everything-climbs: no candidate is dropped on its way, as in the paper; 300 attempts of each policy.
papers-starts: 4,096 starts, of which the same shares climb on; 300 attempts of each policy.
base-reported: the predecessor's configuration as far as the scale permits: three images, twice the starts, Psi trained
with twice the batch, quaternions one after the other in 16 + 16 steps."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "eval-variant", "policies of Table 1 with one thing otherwise", TEXT)
    parser.add_argument("variant", choices=NAMES, help="what is otherwise")
    parser.add_argument(
        "--policies", type=named, nargs="+", action=Once, default=(), metavar="POLICY", help="some of them (all)"
    )
    replications.add_options(parser, repetitions="the experiment's for base-reported, else 2")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = replications.opened(options, trains=options.variant == "base-reported")
    from dgrasp.experiment.replication import keep_trials
    from dgrasp.experiment.variants import VARIANTS, beside_table_1, verdict

    variant = VARIANTS[options.variant](made, options.policies, options.repetitions)
    table = beside_table_1(made, variant)
    replications.tell(options, made, options.variant, table, verdict(table))
    if options.keep:
        print(f"kept: {keep_trials(variant, made, options.variant)}")
