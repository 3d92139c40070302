"""What an import's ways and grasps are like, in lines to read; those that begin with "!" are odd."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dgrasp.cell.place import Place
from dgrasp.data.imports.episode import LEVEL, Episode, named

MOSTLY = 0.5  # share of grasps inside of the workspace by which another reading of the poses is believed
JUMP = 0.10  # m between two steps: a teleported hand
STRAIGHTER, TILTED = 0.25, 10.0  # as much tilt, and degrees: an order of quaternions that halves it twice is the right


def trajectory_lines(episodes: Sequence[Episode], place: Place, tilt: float | None = None) -> list[str]:
    """Where grasps are and how hands point; what is odd of ways, of the orders of quaternions, and of the gripper.

    tilt: of the approach from straight down, rad, that grasps are executed to; none: any.
    """
    inside = np.mean([bool(place.inside(e.Ts_world_tcp[-1, :3, 3])) for e in episodes])
    longest = max(
        (float(np.linalg.norm(np.diff(e.Ts_world_tcp[:, :3, 3], axis=0), axis=1).max(initial=0.0)), e.source)
        for e in episodes
    )
    Rs = np.stack([e.Ts_world_tcp[-1, :3, :3] for e in episodes])
    tilts = _tilts(Rs)
    down = np.mean(tilts < 90)
    lines = [
        f"grasps: {inside:.0%} inside of the workspace of {place.name}, {down:.0%} point down (z of the hand is its "
        "approach, and x crosses its fingers, or y with --closing y), tilted by "
        f"{np.median(tilts):.0f} degrees (median), at most {tilts.max():.0f}",
        f"longest step: {1000 * longest[0]:.0f} mm",
        *_tilted(episodes, Rs, tilt),
    ]
    if down < 1:
        lines.append(
            "! hands that do not point down when they grasp are never planned: is z the approach, towards the table, "
            "and x across the fingers (or y: --closing y)?"
        )
    if longest[0] > JUMP:
        lines.append(f"! {longest[1]}: jumps by {1000 * longest[0]:.0f} mm from one step to the next")
    if inside < 1:
        corners = " to ".join("(" + ", ".join(f"{v:g}" for v in corner) + ")" for corner in (place.low, place.high))
        lines.append(
            f"! grasps outside of the workspace, {corners} m, are never found: the world must be the cell's; another "
            "cell is named by --cell, poses in its arm's base frame by --frame base"
        )
        lines += _of_the_flange(episodes, place)
    return [*lines, *_cut(episodes)]


def _of_the_flange(episodes: Sequence[Episode], place: Place) -> list[str]:
    """A line where grasps outside of the workspace would be inside if the poses were the flange's, not the TCP's."""
    grasps = np.stack([e.Ts_world_tcp[-1] for e in episodes])
    ahead = grasps[:, :3, 3] + place.tcp_ahead * grasps[:, :3, 2]
    now, then = float(place.inside(grasps[:, :3, 3]).mean()), float(place.inside(ahead).mean())
    if not place.tcp_ahead or then < max(MOSTLY, 2 * now):
        return []
    return [
        f"! these look like poses of the flange: {then:.0%} of the grasps would be inside of the workspace if they "
        f"were {place.tcp_ahead:.3f} m further along their z, where the TCP is; state the poses of the TCP"
    ]


def _tilts(Rs_world_tcp: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n"]:
    """Of the hands' approach from straight down, degrees."""
    return np.asarray(np.degrees(np.arccos(np.clip(-Rs_world_tcp[:, 2, 2], -1, 1))))


def _tilted(episodes: Sequence[Episode], Rs: Float[np.ndarray, "n 3 3"], most: float | None) -> list[str]:
    tilts, lines = _tilts(Rs), []
    steep = [e for e, tilt in zip(episodes, tilts, strict=True) if most is not None and tilt > np.degrees(most)]
    if steep and most is not None:
        lines.append(
            f"! {named(steep)}: grasps tilted by more than {np.degrees(most):.0f} degrees, which are never executed"
        )
    reordered = Rotation.from_quat(Rotation.from_matrix(Rs).as_quat(), scalar_first=True).as_matrix()
    middle, other = float(np.median(tilts)), float(np.median(_tilts(reordered)))
    if middle > TILTED and other < STRAIGHTER * middle:
        lines.append(
            f"! read as x, y, z, w the quaternions tilt the grasps by {middle:.0f} degrees (median), as w, x, y, z by "
            f"{other:.0f}: which order does the file have? x, y, z, w is expected"
        )
    return lines


def _cut(episodes: Sequence[Episode]) -> list[str]:
    """What is odd of where episodes end."""
    lines = _uncut([e for e in episodes if e.recorded and not e.changes])
    if both := [e for e in episodes if e.changes > 1]:
        lines.append(
            f"! {named(both)}: the gripper changes more than once (first: {both[0].changes} times); the last change of "
            f"the kind that is lower is taken for the grasp (step {len(both[0].Ts_world_tcp)} of {both[0].recorded})"
        )
    if short := [e for e in episodes if 2 * len(e.Ts_world_tcp) < e.recorded]:
        lines.append(
            f"! {named(short)}: less than half of the steps are before the grasp (first: {len(short[0].Ts_world_tcp)} "
            f"of {short[0].recorded}); the others are left out: is the gripper's column right?"
        )
    return lines


def _uncut(episodes: Sequence[Episode]) -> list[str]:
    """Of those in which no gripper changes, whose ways are all that was recorded: do they end below, or with a lift?"""
    if not episodes:
        return []
    above = [float(z[-1] - z.min()) for z in (e.Ts_world_tcp[:, 2, 3] for e in episodes)]
    worst = int(np.argmax(above))
    heights, lift = episodes[worst].Ts_world_tcp[:, 2, 3], ""
    if above[worst] > LEVEL:
        lift = (
            f"; of {episodes[worst].name} it is {1000 * above[worst]:.0f} mm above the lowest (step "
            f"{int(heights.argmin()) + 1} of {len(heights)}): give a column gripper, or cut after the grasp"
        )
    return [f"! {named(episodes)}: no change of a gripper is recorded; the last step is taken for the grasp{lift}"]
