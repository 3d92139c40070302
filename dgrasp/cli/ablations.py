"""`dgrasp ablations`: the paper's explanations and choices, tested arm by arm."""

from __future__ import annotations

import _thread
import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dgrasp.cli.options import Once, add_command, add_experiment, experiment, named, positive, refuse_idle

if TYPE_CHECKING:
    import pandas as pd

    from dgrasp.experiment.ablations.stage import Result

TEXT = """\
Train and try the arms of the ablations: questions about what the paper says, each with arms that differ in one thing,
on scenes of their own. An arm's rates are printed when it has been tried. Stop it at any time; the same command goes on
where it stopped, so that it may run in the background, question by question. Notebook 07 shows whatever is done.

With --choose, few attempts on validation scenes: to decide something, never to report it."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "ablations", "the paper's explanations and choices, tested", TEXT)
    add_experiment(parser, profile="smoke")
    parser.add_argument(
        "--question",
        type=named,
        nargs="+",
        action=Once,
        default=(),
        metavar="NAME",
        help="some of the profile's questions, or others",
    )
    parser.add_argument("--minutes", type=positive, help="stop after so many; the same command goes on (no limit)")
    parser.add_argument(
        "--list", action="store_true", help="say what the questions are, and what is done; compute nothing"
    )
    parser.add_argument("--choose", action="store_true", help="on validation scenes, for choices")
    parser.add_argument("--keep", action="store_true", help="what is done also goes beside the published results")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    for option in ("minutes", "choose", "keep"):
        refuse_idle(f"--{option}", getattr(options, option), unless=not options.list, goes_with="what computes")
    made = experiment(options)
    from dgrasp.experiment.ablations.kept import keep, results
    from dgrasp.experiment.ablations.stage import Ablations
    from dgrasp.experiment.questions import asked, questions

    if options.keep and options.choose:
        raise ValueError("--keep: rows of validation scenes guide choices and are never reported; leave out --choose")
    names = asked(tuple(options.question)) if options.question else made.profile.ablations.names()
    if options.list:
        done = {(r.question, r.arm) for r in results(made, names)}
        for name in names:
            tried = sum((name, arm) in done for arm in questions()[name].arms)
            print(f"{name}: {questions()[name].asks} ({tried} of {len(questions()[name].arms)} arms done)")
        return
    with _within(options.minutes):
        for result in Ablations(made, "validation" if options.choose else "ablation").run(names):
            print(_line(result), flush=True)
    if options.keep:
        print(f"kept: {keep(made, names=options.question)}")


def _line(result: Result) -> str:
    from dgrasp.evaluation.arms import training_of
    from dgrasp.experiment.ablations.rows import arm_rates

    rates: pd.DataFrame = arm_rates(result)
    counts = ", ".join(f"{r.task} {r.successes} of {r.n} [{r.low:.2f}, {r.high:.2f}]" for r in rates.itertuples())
    return f"{result.question}: {result.arm}: {counts}; trained {training_of(result.run).minutes:.1f} minutes"


@contextmanager
def _within(minutes: int | None) -> Iterator[None]:
    """Interrupt what goes on inside when the minutes are over, and say so; no limit for None."""
    if minutes is None:
        yield
        return
    over, main = threading.Event(), threading.main_thread().ident
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def end() -> None:
        over.set()
        if hasattr(signal, "pthread_kill") and main is not None:  # which also ends a sleep
            signal.pthread_kill(main, signal.SIGINT)
        else:
            _thread.interrupt_main()

    timer = threading.Timer(60 * minutes, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if not over.is_set():
            raise
        print(f"stopped after {minutes} minutes; the same command goes on")
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
