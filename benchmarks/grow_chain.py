"""How the cost of the chain grows: against scenes, poses and image size, measured; against workers, simulated.

    python benchmarks/grow_chain.py            measures, and writes benchmarks/grown.csv
    python benchmarks/grow_chain.py table      what is in it, and the figure build/grown.png

Rows of `grown.csv`: varied, at, seconds, mib, how. "measured": the processor's seconds of one thread and the MiB that
the work adds at its peak, each in a process of its own, at the laptop profile's sizes but for what varies; "job" is
the mean of single scenes, and mib what one leaves on disk. "simulated": wall seconds that workers take for the laptop's
scenes, with jobs as measured and a shared folder that is assumed (`Folder`), and with one that is free.
"""

from __future__ import annotations

import heapq
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from plain import added_peak_mib, encoded, frozen, value_on

from dgrasp.data import layout
from dgrasp.data.generate import demonstrate_scene
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import uniform_poses
from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR, PAPER_COLOUR, use_style
from dgrasp.sim.cell import Cell
from dgrasp.slopes.climb import optimize_poses

RESULT = Path(__file__).with_name("grown.csv")
SCENES, POSES, WIDTHS = (1, 2, 4), (64, 256, 1024), (64, 128, 256, 512)
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
JOBS = 6  # whose times and bytes are measured
GOOD = 0.8  # of the speed with a free folder: below it the shared folder counts as the limit; our choice
LABELS = {"scenes": "scenes demonstrated", "poses": "poses climbing", "width": "image width, pixels"}
FREE = "workers, free folder"
Row = dict[str, object]


@dataclass(frozen=True)
class Folder:
    """A shared build folder, one request at a time. Assumed: NFS on one gigabit, and what a file costs beside bytes."""

    bytes_per_second: float = 1e8
    seconds_per_file: float = 0.01

    def seconds(self, size: float) -> float:
        """To write one file."""
        return self.seconds_per_file + size / self.bytes_per_second


def simulate(times: Sequence[float], sizes: Sequence[float], jobs: int, workers: int, folder: Folder) -> float:
    """Wall seconds until `jobs` jobs are made and written; job i takes times[i] and leaves sizes[i], over and over.

    A worker takes the next job when its last one is written; the folder writes one file after the other.
    """
    running = [(times[job % len(times)], job) for job in range(min(workers, jobs))]
    heapq.heapify(running)
    begun, written = len(running), 0.0
    while running:
        made, job = heapq.heappop(running)
        written = max(made, written) + folder.seconds(sizes[job % len(sizes)])
        if begun < jobs:
            heapq.heappush(running, (written + times[begun % len(times)], begun))
            begun += 1
    return written


def folder_limits_at(table: pd.DataFrame) -> int | None:
    """The fewest workers that are slower than `GOOD` of what they were with a free folder; None if none are."""
    ours, free = (table[table["varied"] == name].set_index("at")["seconds"] for name in ("workers", FREE))
    short = ours.index[free / ours < GOOD]
    return int(min(short)) if len(short) else None


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    profile = load_profile("laptop")
    yield from _scenes(profile)
    yield from _poses(profile)
    yield from _widths(profile)
    seconds, size = _job(profile)
    yield _row("job", JOBS, seconds, size / 2**20, "measured")
    yield from simulated(profile, seconds, size)


def simulated(profile: Profile, seconds: float, size: float) -> Iterator[Row]:
    """Rows of workers that make the profile's scenes, each of so many seconds and bytes."""
    count, free = profile.data.train_scenes + profile.data.validation_scenes, Folder(float("inf"), 0.0)
    for name, folder in (("workers", Folder()), (FREE, free)):
        for workers in WORKERS:
            yield _row(name, workers, simulate([seconds], [size], count, workers, folder), None, "simulated")


def _row(varied: str, at: float, seconds: float, mib: float | None, how: str) -> Row:
    return {"varied": varied, "at": at, "seconds": round(seconds, 4), "mib": mib and round(mib, 2), "how": how}


def _measured(varied: str, at: float, work: Callable[[], object]) -> Row:
    """In a process of its own, forked, which has freed no memory yet that would serve again."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_measure_into, args=(there, work))
    child.start()
    seconds, mib = here.recv()
    child.join()
    return _row(varied, at, seconds, mib, "measured")


def _measure_into(pipe: Connection, work: Callable[[], object]) -> None:
    torch.set_num_threads(1)
    begun = time.process_time()
    mib = added_peak_mib(work)
    pipe.send((time.process_time() - begun, mib))


def _scenes(profile: Profile) -> Iterator[Row]:
    with Cell(profile.cell) as cell:
        for count in SCENES:

            def work(count: int = count) -> None:
                for i in range(count):
                    demonstrate_scene(cell, profile.data, "train", i, 0)

            yield _measured("scenes", count, work)


def _poses(profile: Profile) -> Iterator[Row]:
    """One step of a plan on two images."""
    value = frozen(value_on(build_nerf(profile.nerf), profile.value))
    score = value.bind(encoded(value, profile.evaluation.views, profile.data.width, profile.data.height))
    step = profile.optimizer.model_copy(update={"steps": 1, "pruning": ()})
    for count in POSES:
        poses = uniform_poses(count, *profile.value.bounds, torch.Generator().manual_seed(0))
        yield _measured("poses", count, lambda p=poses: optimize_poses(score, p, step, bounds=profile.value.bounds))


def _widths(profile: Profile) -> Iterator[Row]:
    """One image through the encoder."""
    encoder = build_nerf(profile.nerf).encoder.requires_grad_(False)
    for width in WIDTHS:
        image = torch.rand(1, 3, width * 3 // 4, width)
        yield _measured("width", width, lambda image=image: encoder(image))


def _job(profile: Profile) -> tuple[float, float]:
    """Mean processor seconds and bytes of single jobs of the demonstrations."""
    sizes, begun = [], time.process_time()
    with Cell(profile.cell) as cell, tempfile.TemporaryDirectory() as folder:
        for i in range(JOBS):
            path = Path(folder) / f"{i}.npz"
            layout.save_scene(path, demonstrate_scene(cell, profile.data, "train", i, 0))
            sizes.append(path.stat().st_size)
    return (time.process_time() - begun) / JOBS, sum(sizes) / JOBS


def plot(table: pd.DataFrame) -> Figure:
    """Three measured panels, seconds and memory, and a simulated one: wall minutes against workers."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.9))
    for ax, (varied, label) in zip(axes, LABELS.items(), strict=False):
        rows = table[table["varied"] == varied]
        ax.loglog(rows["at"], rows["seconds"], marker="o", color=BASE_COLOUR, label="seconds of one thread")
        ax.loglog(rows["at"], rows["mib"], marker="s", ls="--", color=DGRASP_COLOUR, label="MiB added")
        ax.set(xlabel=label, title="measured", xticks=list(rows["at"]), xticklabels=[f"{n:g}" for n in rows["at"]])
        ax.xaxis.set_minor_locator(NullLocator())
    axes[0].legend()
    rows, free = (table[table["varied"] == name] for name in ("workers", FREE))
    axes[3].loglog(free["at"], free["seconds"] / 60, ls=":", color=PAPER_COLOUR, label="free folder")
    axes[3].loglog(rows["at"], rows["seconds"] / 60, marker="o", color=BASE_COLOUR, label="528 scenes")
    if (limit := folder_limits_at(table)) is not None:
        axes[3].axvline(limit, color="0.6", label=f"folder is the limit ({limit})")
    axes[3].set(xlabel="workers", ylabel="minutes", title="simulated")
    axes[3].legend(loc="lower left")
    return figure


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    if list(arguments) != ["table"]:
        pd.DataFrame(measure()).to_csv(RESULT, index=False)
    table = pd.read_csv(RESULT)
    print(table.to_string(index=False))
    print(f"the shared folder is the limit from {folder_limits_at(table)} workers on")
    use_style()
    target = RESULT.parents[1] / "build" / "grown.png"
    target.parent.mkdir(exist_ok=True)
    plot(table).savefig(target)


if __name__ == "__main__":
    main(sys.argv[1:])
