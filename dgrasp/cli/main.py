"""The command `dgrasp`: one module here per subcommand, loaded with what it needs when it is asked for."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dgrasp.cli import (
    ablations,
    beyond,
    board,
    calibrate,
    closed_loop,
    demonstrations,
    diagnose,
    doctor,
    figures,
    imports,
    new_scenes,
    notebook,
    plan_from_images,
    publish,
    reproduce,
    site,
    train_seeds,
    variants,
    ycb,
)
from dgrasp.cli.errors import MACHINE, exit_code, explained
from dgrasp.cli.options import Parser

COMMANDS = (
    reproduce, figures, plan_from_images, board, calibrate, imports, doctor, new_scenes, train_seeds, variants,
    ablations, beyond, closed_loop, diagnose, publish, demonstrations, notebook, site, ycb,
)  # fmt: skip
TEXT = """\
A reproduction of dGrasp: grasp policies whose value landscape is taught to rise along demonstrations.

Start with `dgrasp doctor` (does this machine fit?), then `dgrasp reproduce` (everything, at a small scale).
`dgrasp COMMAND --help` explains each command."""
EXIT_CODES = """\
Exit codes: 0 all well; 2 something that was given is wrong; 1 the machine (disk, permission, network, a missing
package) or a fault of dgrasp; 130 interrupted. Whatever was interrupted goes on with the same command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode shows what it can
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminated_by_signal():
            code = int(options.run(options) or 0)
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return MACHINE
    except (Exception, KeyboardInterrupt) as error:
        if options.debug:
            traceback.print_exc()
        print(f"dgrasp {options.command}: {explained(error)}", file=sys.stderr)
        return exit_code(error)


def _parser() -> Parser:
    from dgrasp import __version__

    parser = Parser(prog="dgrasp", description=TEXT, epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"dgrasp {__version__}")
    parser.add_argument("--debug", action="store_true", help="errors with their traceback")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.add(commands)
    return parser


@contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """SIGTERM ends the command as an exception does, so that kernels and processes are shut down too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
