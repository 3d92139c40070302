"""Make the demonstrations of a profile, by themselves: on more processes, or on other machines.

    python -m dgrasp.data --profile laptop --build build/laptop --backend dask --workers 8
    python -m dgrasp.data --profile laptop --build build/laptop --backend dask --scheduler tcp://host:8786

Notebook 01 finds them there. Interrupt it at any time, the same command goes on by scene; whoever computes, the bytes
are the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dgrasp.data.backends import BACKENDS, BackendError
from dgrasp.data.generate import generate_demonstrations
from dgrasp.experiment.profiles import Profile, ProfileError, load_profile
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run, RunError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        profile = load_profile(options.profile)
        run = _generate(profile, options)
    except (ProfileError, BackendError, RunError, DamagedFileError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on by scene", file=sys.stderr)
        return 130
    print(f"{run.path}: {run.summary['demonstrations']} demonstrations in {run.summary['scenes']} scenes")
    return 0


def _generate(profile: Profile, options: argparse.Namespace) -> Run:
    name = options.backend or profile.data.backend
    workers = options.workers or profile.runtime.workers
    build = options.build or Path("build") / profile.name
    data = profile.data.model_copy(update={"backend": name})
    return generate_demonstrations(
        data, profile.cell, build, seed=options.seed, workers=workers, scheduler=options.scheduler
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dgrasp.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="smoke", help="a profile's name, or the path of a YAML file (smoke)")
    parser.add_argument("--build", type=Path, help="folder of the runs (build/<profile>)")
    parser.add_argument("--seed", type=int, default=0, help="root of all random numbers (0)")
    parser.add_argument("--backend", help=f"joblib's: {', '.join(BACKENDS)} (the profile's: data.backend)")
    parser.add_argument("--workers", type=_positive, help="jobs at a time (the profile's: runtime.workers)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a running Dask cluster, which says how wide to work")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
