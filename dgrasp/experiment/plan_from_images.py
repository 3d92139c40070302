"""Grasps for one's own photographs: a folder of images with known cameras in, ranked grasp poses out.

    dgrasp plan-from-images photos --policy dgrasp_quat_sync

The published policies plan, unless `--profile` and `--build` name others; what those lack is trained first.
The folder is a capture (`dgrasp.data.captures`): images and a `transforms.json` in nerfstudio's layout. Two photographs
from opposite sides are what the policies were trained for. Their cameras must be given in the cell's world frame (z up,
metres, the board's centre at `dgrasp.cell.workspace.BOARD_CENTRE`), or in one of their own with `T_world_capture`; a
printed sheet in the pictures tells it, too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.place import PAPERS, Grip, Place, place_of
from dgrasp.checks import described
from dgrasp.data.captures.reader import Capture, read_capture
from dgrasp.data.captures.sight import check_sight
from dgrasp.files import check_writable, write_text
from dgrasp.policy.policies import GraspPolicy, Plan
from dgrasp.poses import gripper_symmetric_angle

if TYPE_CHECKING:  # the simulator is not loaded to read photographs
    from dgrasp.experiment.chain import Experiment
    from dgrasp.robot.trials import PreparedPolicy

HEADER = "rank,value,x,y,z,qx,qy,qz,qw"  # of a table
NARROWEST = 8  # pixels of an image
APART, TURNED = 0.02, 20.0  # m and degrees: closer poses are the same grasp


@dataclass(frozen=True, eq=False)
class RankedGrasps:
    """Grasps in the world frame, best first, and the views they were planned from.

    Ts_world_tcp: (n, 4, 4), metres. values: (n,) raw scores of Psi: they rank, and are no probabilities.
    """

    Ts_world_tcp: Float[np.ndarray, "n 4 4"]
    values: Float[np.ndarray, "n"]
    views: Views

    @property
    def table(self) -> pd.DataFrame:
        """One row per grasp: rank, value, x y z (m), qx qy qz qw."""
        q = Rotation.from_matrix(self.Ts_world_tcp[:, :3, :3]).as_quat(canonical=True)
        columns = (range(1, len(q) + 1), self.values, *self.Ts_world_tcp[:, :3, 3].T, *q.T)
        return pd.DataFrame(dict(zip(HEADER.split(","), columns, strict=True)))


def rank_grasps(
    photographs: Path | Capture,
    policy: GraspPolicy,
    *,
    lenses: Sequence[Intrinsics] = (),
    width: int | None = None,
    n: int = 10,
    seed: int = 0,
    downwards: bool = True,
    T_world_capture: Float[np.ndarray, "4 4"] | None = None,
    place: Place | None = None,
) -> RankedGrasps:
    """Plan on a folder of photographs; returns at most `n` grasps that differ by 2 cm or 20 degrees, best first.

    photographs: the folder, its `transforms.json`, or what `read_capture` made of it, which was told `T_world_capture`.
    lenses: of the images the policy was trained on (`experiment.observer.lenses`); or width: of those images, pixels,
    where the paper's camera took them.
    seed: of the starting poses. downwards: only poses whose approach axis points below the horizon, as on the real
    robot (Sec. 5.2). place: where grasps are searched, and how high the board is; default the policy's workspace, and
    the paper's board.
    Raises CaptureError for photographs that cannot be used or cameras that do not look at the workspace, ValueError for
    other arguments (naming the one that is none), `T_world_capture` beside a capture, a place beyond the workspace that
    the policy was trained in, or if nothing points down.
    """
    generator = _generator(n, seed)
    lenses = _lenses(lenses, width)
    _check_kinds(photographs, policy, place)
    if isinstance(photographs, Capture) and T_world_capture is not None:
        raise ValueError("T_world_capture: goes with a folder alone; a capture has its own, tell `read_capture`")
    low, high = (bound.double().numpy(force=True) for bound in policy.bounds)
    known = Place("the policy", low, high, PAPERS.middle)
    place = known if place is None else _within(place, known)
    capture = photographs
    if not isinstance(capture, Capture):
        capture = read_capture(capture, T_world_capture, float(place.middle[2]))
    views = as_trained(capture, lenses)
    check_sight(capture, place, views)
    unfiltered = GraspPolicy(
        policy.spec,
        policy.value,
        policy.config.model_copy(update={"approach": "any", "approach_offset": 0.0}),
        (torch.tensor(place.low).to(policy.bounds[0]), torch.tensor(place.high).to(policy.bounds[1])),
    )
    found = unfiltered.plan(views, generator).candidates
    Ts, values = found.T_world_tcp.double().cpu(), found.scores.double().cpu().numpy()
    candidates = torch.nonzero(Ts[:, 2, 2] < 0).flatten().tolist() if downwards else list(range(len(Ts)))
    if not candidates:
        raise ValueError(f"{capture.file}: none of {len(Ts)} candidates points downwards; see `downwards`")
    chosen = _distinct(Ts, candidates, n)
    return RankedGrasps(Ts[chosen].numpy(), values[chosen], views)


def _check_kinds(photographs: object, policy: object, place: object) -> None:
    """Raise ValueError for an argument of another kind, with the way to the one that is expected."""
    if not isinstance(photographs, str | os.PathLike | Capture):
        hint = "; `policy.plan` takes views" if isinstance(photographs, Views) else ""
        raise ValueError(
            f"photographs: expected a folder, or what `read_capture` made of it, got {described(photographs)}{hint}"
        )
    if not isinstance(policy, GraspPolicy):
        hint = f"; `experiment.policy({policy!r})` opens it" if isinstance(policy, str) else ""
        raise ValueError(f"policy: expected a GraspPolicy, got {described(policy)}{hint}")
    if not isinstance(place, Place | None):
        raise ValueError(f"place: expected a Place, as `read_place` tells of a cell, got {described(place)}")


def _within(place: Place, known: Place) -> Place:
    """The place, which the policy knows; raises ValueError otherwise."""
    if known.holds(place):
        return place
    reach, trained = (
        f"({', '.join(f'{v:g}' for v in p.low)}) to ({', '.join(f'{v:g}' for v in p.high)}) m" for p in (place, known)
    )
    raise ValueError(
        f"cell: {place.name} has the workspace {reach}, the policy was trained in {trained}: it knows nothing beyond; "
        "train one whose profile names the cell"
    )


def _generator(n: int, seed: int) -> torch.Generator:
    """The starting poses' randomness; raises ValueError for a number of grasps or a seed that is none."""
    if not _is_whole(n):
        raise ValueError(f"n: expected a whole number of 1 or more, got {n!r}")
    if n < 1:
        raise ValueError(f"n: expected 1 or more, got {n}")
    return streams.torch_generator(seed, "own images")


def _is_whole(number: object) -> bool:
    """NumPy's whole numbers are some, truth values are none."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _lenses(lenses: Sequence[Intrinsics], width: int | None) -> Sequence[Intrinsics]:
    """Those of the training images; raises ValueError unless they are told in one of both ways."""
    if not isinstance(lenses, Sequence) or not all(isinstance(lens, Intrinsics) for lens in lenses):
        raise ValueError(f"lenses: expected a list or a tuple of Intrinsics, got {described(lenses)}")
    if bool(lenses) == (width is not None):
        raise ValueError(
            "lenses: expected those of the training images, or `width` for the paper's camera, and not both"
        )
    if width is None:
        return lenses
    if not _is_whole(width) or width < NARROWEST:
        raise ValueError(f"width: expected a whole number of pixels, {NARROWEST} or more, got {width!r}")
    return (Intrinsics.d415(int(width), round(0.75 * int(width))),)


def as_trained(views: Views | Capture, lenses: Sequence[Intrinsics]) -> Views:
    """The photographs, each sampled so that a focal length is as many pixels as in training images of these lenses.

    Objects then look as large as the policy has seen them, whatever the camera; the views' calibration is scaled along.
    Of several lenses, each photograph is sampled as that which sees most nearly the same angle, so that the images of
    each camera of a cell become what they were in training. Images that end up smaller than others are continued at
    their right and lower border, as the encoder does.
    """
    sampled = [_sampled(image, K, lenses) for image, K in zip(views.images, views.K, strict=True)]
    if isinstance(views, Views) and all(image.shape == views.images.shape[1:] for image, _ in sampled):
        return views  # nothing was sampled
    height, wide = (max(image.shape[axis] for image, _ in sampled) for axis in (0, 1))
    images = [
        np.pad(image, ((0, height - image.shape[0]), (0, wide - image.shape[1]), (0, 0)), mode="edge")
        for image, _ in sampled
    ]
    return Views(np.stack(images), np.stack([K for _, K in sampled]), views.Ts_world_cam)


def _sampled(
    image: UInt8[np.ndarray, "h w 3"], K: Float[np.ndarray, "3 3"], lenses: Sequence[Intrinsics]
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], Float[np.ndarray, "3 3"]]:
    size_then = image.shape[1], image.shape[0]
    angle = float(K[0, 0]) / size_then[0]
    lens = min(lenses, key=lambda known: abs(math.log(known.fx / known.width / angle)))
    shares = lens.fx / float(K[0, 0]), lens.fy / float(K[1, 1])  # they differ where a picture was pulled
    size = max(NARROWEST, round(size_then[0] * shares[0])), max(NARROWEST, round(size_then[1] * shares[1]))
    if size == size_then:
        return image, K
    K, scale = K.copy(), np.divide(size, size_then)
    K[[0, 1], [0, 1]] *= scale
    K[:2, 2] = (K[:2, 2] + 0.5) * scale - 0.5  # pixel centres are at integers
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)), K


class ResizeToTraining:
    """A policy for cells whose cameras are finer than its training images; for `run_trials`, after `for_real_robot`.

    It plans on `as_trained(views, lenses)`, with the lenses of its training images (`experiment.observer.lenses`). The
    log keeps the cell's own images.
    """

    def __init__(self, policy: PreparedPolicy, lenses: Sequence[Intrinsics]) -> None:
        self.policy, self.lenses, self.config = policy, lenses, policy.config

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        """See `GraspPolicy.plan`."""
        return self.policy.plan(self.as_seen(views), generator)

    def as_seen(self, views: Views) -> Views:
        """What the networks are shown of the cell's views; where the ascent leads, too (`ClosedLoop`)."""
        return as_trained(views, self.lenses)


def _distinct(Ts: torch.Tensor, ranked: Sequence[int], n: int) -> list[int]:
    """The first `n` candidates that are not the same grasp as a better one."""
    chosen: list[int] = []
    for i in ranked:
        near = [
            j
            for j in chosen
            if torch.linalg.vector_norm(Ts[i, :3, 3] - Ts[j, :3, 3]) < APART
            and float(torch.rad2deg(gripper_symmetric_angle(Ts[i, :3, :3], Ts[j, :3, :3]))) < TURNED
        ]
        if not near:
            chosen.append(i)
        if len(chosen) == n:
            break
    return chosen


def checked_capture(photographs: Path, place: Place = PAPERS, *, n: int, seed: int, output: Path | None) -> Capture:
    """The photographs, once everything that is cheap to check has been: nothing of the simulator or a policy is loaded.

    Raises ValueError for bad input (CaptureError for photographs), OSError for an output that cannot be written.
    """
    _generator(n, seed)
    if output is not None:
        check_output(output)
    capture = read_capture(photographs, board_top=float(place.middle[2]))
    check_sight(capture, place)
    return capture


def plan_capture(
    capture: Capture, experiment: Experiment, policy: str, place: Place | None = None, *, n: int, seed: int,
    output: Path | None,
) -> pd.DataFrame:  # fmt: skip
    """The table of grasps of one of the experiment's policies, written to `output` (CSV) if that is given.

    place: see `rank_grasps`; where its hand is another than the policy was trained with, a last column, `hand`, names
    the one that the grasps are for (`other_hand`). seed: of the starting poses. Raises RecordError, RunError and
    DamagedFileError for a policy that is not there.
    """
    lenses = experiment.observer.lenses
    table = rank_grasps(capture, experiment.policy(policy), lenses=lenses, n=n, seed=seed, place=place).table
    if place is not None and (trained := other_hand(place, experiment)):
        table["hand"] = trained.hand
    if output is not None:
        write_text(output, table.to_csv(index=False, lineterminator="\n"))
    return table


def other_hand(place: Place, experiment: Experiment) -> Grip | None:
    """The hand that the experiment's policies were trained with, if that of the place is another one; else None."""
    trained = place_of(experiment.observer.description).grip
    return None if place.grip is None or trained is None or place.grip.fits(trained) else trained


def check_output(path: Path) -> None:
    """Raise ValueError if `path` is there and no table of before, OSError if its folder cannot be written to."""
    if path.exists() and not path.is_file():
        raise ValueError(f"--output: {path} is {'a folder' if path.is_dir() else 'no regular file'}; expected a file")
    if path.exists() and not _is_ours(path):
        raise ValueError(f"--output: {path} is there, and is no table of grasps; expected the path of another file")
    check_writable(path)


def _is_ours(path: Path) -> bool:
    """Whether a file may be replaced: one that is empty, or a table of before."""
    with open(path, "rb") as handle:
        return handle.read(len(HEADER)) in (b"", HEADER.encode())
