"""How the cost of the chain grows: against scenes, poses and image size, measured; against workers, simulated.

    python benchmarks/grow_chain.py            measures, and writes dgrasp/experiment/grown.json

Its rows: varied, at, seconds, mib, how. "measured": the processor's seconds of one thread and the MiB that the work
adds at its peak, each in a process of its own, at the laptop profile's sizes but for what varies; "job" are single
scenes by their numbers, and mib what one leaves on disk. "simulated": wall seconds that workers take for the laptop's
scenes, with jobs as measured and a shared folder that is assumed (`Folder`), and with one that is free; and the MiB of
all of them, each like the process that was measured. The figure and table `growth` show it.
"""

from __future__ import annotations

import heapq
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from plain import added_peak_mib, encoded, frozen, value_on

import dgrasp
from dgrasp.data import layout
from dgrasp.data.generate import demonstrate_scene
from dgrasp.experiment.growth import FREE, GROWN, JOB, Folder
from dgrasp.experiment.growth import WORKERS as MANY
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.files import write_json
from dgrasp.footprint import footprint
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import uniform_poses
from dgrasp.provenance import provenance
from dgrasp.sim.cell import Cell
from dgrasp.slopes.climb import optimize_poses

RESULT = Path(dgrasp.__file__).parent / "experiment" / GROWN
SCENES, POSES, WIDTHS = (1, 4, 16), (64, 256, 1024, 4096), (64, 128, 256, 512, 640)
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
JOBS = 12  # whose times and bytes are measured
Row = dict[str, object]


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


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    profile = load_profile("laptop")
    jobs, each = _jobs(profile)  # first, while this process holds nothing else
    yield from _scenes(profile)
    yield from _poses(profile)
    yield from _widths(profile)
    yield from jobs
    yield from simulated(profile, jobs, each)


def simulated(profile: Profile, jobs: Sequence[Row], each: float) -> Iterator[Row]:
    """Rows of workers of `each` MiB that make the profile's scenes, with times and sizes as those of the jobs."""
    times, sizes = ([float(job[name]) for job in jobs] for name in ("seconds", "mib"))  # type: ignore[arg-type]
    bytes_ = [2**20 * size for size in sizes]
    for name, folder in ((MANY, Folder()), (FREE, Folder(float("inf"), 0.0))):
        for workers in WORKERS:
            seconds = simulate(times, bytes_, scenes_of(profile), workers, folder)
            yield _row(name, workers, seconds, workers * each, "simulated")


def scenes_of(profile: Profile) -> int:
    """How many scenes are demonstrated."""
    return profile.data.train_scenes + profile.data.validation_scenes


def _row(varied: str, at: float, seconds: float, mib: float, how: str) -> Row:
    return {"varied": varied, "at": at, "seconds": round(seconds, 4), "mib": round(mib, 2), "how": how}


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


def _jobs(profile: Profile) -> tuple[list[Row], float]:
    """Processor seconds and MiB on disk of single jobs of the demonstrations, and MiB of the process that made them."""
    rows = []
    with Cell(profile.cell) as cell, tempfile.TemporaryDirectory() as folder:
        demonstrate_scene(cell, profile.data, "train", JOBS, 0)  # loads what a worker keeps
        for i in range(JOBS):
            path, begun = Path(folder) / f"{i}.npz", time.process_time()
            layout.save_scene(path, demonstrate_scene(cell, profile.data, "train", i, 0))
            rows.append(_row(JOB, i, time.process_time() - begun, path.stat().st_size / 2**20, "measured"))
    return rows, footprint()


def main() -> None:
    """The command line."""
    rows, made = list(measure()), provenance()
    about = {key: made[key] for key in ("commit", "python", "platform", "processors")}
    write_json(RESULT, {"scenes": scenes_of(load_profile("laptop")), "made_by": about, "rows": rows})
    print(RESULT)


if __name__ == "__main__":
    main()
