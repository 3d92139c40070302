"""What an import holds, in lines to read, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dgrasp.cell.place import PAPERS, Place
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.source import SHEET
from dgrasp.data.imports.cameras import CONVENTIONS, Sight, reinterpreted, sight_by_convention, sight_of
from dgrasp.data.imports.episode import UNITS, Episode, ImportRefused, check_choice, named
from dgrasp.data.imports.frames import CLOSING, T_world_frame, in_the_cell
from dgrasp.data.imports.lerobot import read_lerobot
from dgrasp.data.imports.plain import read_plain
from dgrasp.data.imports.problems import problem_as_a_run
from dgrasp.data.imports.robomimic import read_robomimic_episodes
from dgrasp.data.imports.trajectories import trajectory_lines
from dgrasp.files import UserFileError

FORMATS = ("lerobot", "robomimic", "folder")
ENOUGH = 0.5  # share of cameras that must see the grasps: fewer, and images and trajectories are of two worlds
NEARER = 0.5  # as far from the cameras' axes: a convention that has the grasps so near to them is the right one


def read_import(
    source: Path, form: str, *, cameras: Path | None = None, unit: str = "m", convention: str | None = None,
    pose: str = "observation.state", place: Place = PAPERS, tilt: float | None = None, frame: str = "world",
    closing: str = "x",
) -> tuple[list[Episode], list[str]]:  # fmt: skip
    """Episodes of an import, and what was found, a line each.

    unit: of trajectories ("m" or "mm"). convention: of the cameras' poses, instead of the stated one. pose: LeRobot's
    feature. place: the workspace that grasps must lie in. tilt: of hands from straight down, rad, above which grasps
    are named; none: any. frame: that hands and cameras are stated in, "world" or "base" of the place's arm; cameras of
    a printed sheet are in the world always. closing: axis of the stated hand along which its fingers close, "x" or "y".
    A few episodes whose cameras miss their grasps are a line.

    Raises ImportRefused, also for an unknown word (before anything is read), where the cameras see more of the grasps,
    or see them as often and much nearer to their axes, under another convention than the stated one (than the one asked
    for, that is a line), and for a convention where poses are from a sheet or a COLMAP model; CaptureError for
    photographs; ImportError without the extra "export".
    """
    check_choice("format", form, FORMATS, "formats")
    check_choice("unit", unit, UNITS, "units")
    check_choice("closing", closing, CLOSING, "axes")
    if convention is not None:
        check_choice("convention", convention, CONVENTIONS, "conventions")
    T = T_world_frame(frame, place)
    readers: dict[str, Callable[[], tuple[list[Episode], str]]] = {
        "lerobot": lambda: read_lerobot(source, cameras=cameras, unit=unit, pose=pose),
        "robomimic": lambda: read_robomimic_episodes(source, cameras=cameras, unit=unit),
        "folder": lambda: read_plain(source, unit=unit, T_world_frame=T),
    }
    episodes, stated = _as_documented(readers[form], source, form)
    if convention is not None and stated not in CONVENTIONS:
        raise ImportRefused(
            f"{source}: the cameras' poses are from {stated}, whose convention is known; leave out --convention"
        )
    if convention is not None and convention != stated:
        episodes = [replace(e, views=reinterpreted(e.views, stated, convention)) for e in episodes]
        stated = convention
    seen = _checked(source, episodes, stated, asked=convention is not None)  # conventions are of the stated frame
    episodes = [in_the_cell(e, T, closing) for e in episodes]
    return episodes, [*seen, *trajectory_lines(episodes, place, tilt)]


def _as_documented(read: Callable[[], tuple[list[Episode], str]], source: Path, form: str) -> tuple[list[Episode], str]:
    """What a reader reads; what it meets of missing columns and other types is refused with the source's name."""
    try:
        return read()
    except (UserFileError, CaptureError, ImportError):
        raise
    except _NOT_AS_DOCUMENTED as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ImportRefused(f"{source}: is not as the format {form} has it ({what})") from error


# RuntimeError is h5py's of damaged groups, pyarrow's of columns without a reader, and of nesting without end.
_NOT_AS_DOCUMENTED = (LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError, RuntimeError,
                      EOFError, MemoryError)  # fmt: skip


def _checked(source: Path, episodes: list[Episode], stated: str, asked: bool) -> list[str]:
    missing = [e for e in episodes if sight_of([e]).share < ENOUGH]
    few = 2 * len(missing) <= len(episodes)  # then these episodes are wrong, and not how all are read
    sights = sight_by_convention([e for e in episodes if not few or e not in missing], stated)
    seen, found = sights[stated], max(sights, key=lambda name: sights[name].share)
    share = sights[found].share
    if share < ENOUGH:
        any_of = f", under any of {', '.join(CONVENTIONS)}" if stated in CONVENTIONS else f", posed by {stated}"
        base = " (a sheet's cameras are in the cell's; trajectories in the arm's base frame are said by --frame base)"
        raise ImportRefused(
            f"{source}: {share:.0%} of the cameras see the grasps{any_of}: are cameras and trajectories in one world, "
            f"and both in metres?{base if SHEET in stated else ''}"
        )
    if found != stated and not (asked and seen.share >= ENOUGH):
        raise ImportRefused(
            f"{source}: poses of cameras are read as {stated}, but {share:.0%} of them see the grasps if they are "
            f"{found}; say --convention {found}"
        )
    lines = [
        f"cameras: {stated}, {sight_of(episodes).share:.0%} of them see the grasp",
        *_rival(source, sights, stated, asked), *_missing(missing, stated),
    ]  # fmt: skip
    if problem := problem_as_a_run(episodes):
        lines.append(f"! {problem}")
    return [*_counts(episodes), *lines]


def _missing(episodes: list[Episode], stated: str) -> list[str]:
    """A line about episodes whose cameras miss their grasp, and the convention in which they would see it."""
    if not episodes:
        return []
    sights = sight_by_convention(episodes, stated)
    best = max(sights, key=lambda name: (sights[name].share, -sights[name].off))
    hint = f"; as {best} they would" if sights[best].share >= ENOUGH else ""
    return [f"! {named(episodes)}: less than half of the cameras see the grasp{hint}"]


def _rival(source: Path, sights: dict[str, Sight], stated: str, asked: bool) -> list[str]:
    """A line about another convention that would do better. Raises ImportRefused where it is much better."""
    seen = sights[stated]
    as_often = [name for name, sight in sights.items() if sight.share >= seen.share]
    rival = min(as_often, key=lambda name: sights[name].off)  # the stated one before others
    if rival == stated:
        return []
    degrees = f"{seen.off:.0f} degrees from their axes"
    if sights[rival].off < NEARER * seen.off and not asked:
        raise ImportRefused(
            f"{source}: poses of cameras are read as {stated}, which has the grasps {degrees}; as {rival} it would be "
            f"{sights[rival].off:.0f}. Say --convention {rival}, or --convention {stated} if the picture of --check "
            "shows that this is right"
        )
    return [
        f"! as {rival} as many cameras would see the grasp, {sights[rival].off:.0f} degrees from their axes, not "
        f"{seen.off:.0f}: look at the picture"
    ]


def _counts(episodes: list[Episode]) -> list[str]:
    by_split = {split: sum(e.split == split for e in episodes) for split in ("train", "validation")}
    sizes = sorted({f"{e.views.images.shape[2]}x{e.views.images.shape[1]}" for e in episodes})
    views = sorted({len(e.views) for e in episodes})
    steps = [len(e.Ts_world_tcp) for e in episodes]
    return [
        f"episodes: {by_split['train']} to train on, {by_split['validation']} for validation",
        f"views: {', '.join(map(str, views))} an episode, {', '.join(sizes)} pixels",
        f"steps: {min(steps)} to {max(steps)} an episode, until the grasp",
    ]
