"""Where each stage of the laptop experiment spends its time: a table of shares, by sampling what runs.

    python benchmarks/stage_shares.py            all stages
    python benchmarks/stage_shares.py twin       one or some of demonstrations, Phi, Psi, table, twin

A few real units of each stage run in one thread, the same ones as in `bench_experiment.py`. Every 2 ms it is noted in
which part of the package the thread is: the innermost frame that a rule below knows counts. Time in which the processor
was another process's is left out, as far as one can: a sample counts only if the thread's clock has moved.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import torch
from bench_attempts import Worker
from bench_twin import trials
from bench_value import Passes
from walk_paper import phi_step

from dgrasp.data.generate import demonstrate_scene
from dgrasp.experiment.profiles import load_profile
from dgrasp.robot.trials import PAPER_OBJECTS
from dgrasp.sim.cell import Cell

PERIOD = 0.002  # s between samples
ENCODER, FIELD, READOUT, AUTOGRAD = "encoder", "field", "readout", "autograd of the rest"
DRAWING, SAMPLING, PICTURES, PHYSICS = "drawing samples", "sampling along rays", "pictures", "physics and motion"
CLIMB, OPTIMIZER, DATA, REST = "pose optimizer", "optimizer", "data and files", "rest"
RULES = (  # of paths below the package, or of torch's; the first one that fits
    (("nerf/encoder", "nerf/imagenet", "nerf/vit"), ENCODER),
    (("nerf/sampling", "nerf/rendering"), SAMPLING),
    (("nerf/batches", "nerf/object_masks"), DRAWING),
    (("nerf/field", "nerf/fast", "nerf/blocks", "nerf/precision", "value/frozen", "value/geometry"), FIELD),
    (("value/readout", "value/head", "value/layers", "value/fast", "value/steered", "slopes/losses"), READOUT),
    (("value/auxiliary", "slopes/exact"), READOUT),
    (("value/draws", "value/samples", "value/observations", "value/outcomes", "value/queries"), DRAWING),
    (("slopes/climb", "policy/"), CLIMB),
    (("sim/render", "sim/silhouette", "sim/looks", "sim/surfaces", "twin/reality"), PICTURES),
    (("sim/", "cell/"), PHYSICS),
    (("data/", "files.py", "cache.py"), DATA),
    (("torch/optim",), OPTIMIZER),
    (("torch/autograd",), AUTOGRAD),
)
Work = Callable[[], object]


def part(frame: FrameType | None) -> str:
    """The part of the package in which a thread is."""
    while frame is not None:
        path = frame.f_code.co_filename
        where = path.rpartition("/dgrasp/")[2] if "/dgrasp/" in path else path
        for places, name in RULES:
            if any(where.startswith(p) or (p.startswith("torch/") and f"/{p}" in where) for p in places):
                return name
        frame = frame.f_back
    return REST


def shares(work: Work) -> dict[str, float]:
    """Shares of a work's samples by part, the largest first."""
    thread, found, ended = threading.get_ident(), Counter[str](), threading.Event()
    clock = time.pthread_getcpuclockid(thread)

    def look() -> None:
        before = time.clock_gettime(clock)
        while not ended.wait(PERIOD):
            now = time.clock_gettime(clock)
            if now > before:
                found[part(sys._current_frames().get(thread))] += 1
            before = now

    sampler = threading.Thread(target=look, daemon=True)
    sampler.start()
    work()
    ended.set()
    sampler.join()
    return {name: n / found.total() for name, n in found.most_common()}


def stages(asked: Callable[[str], bool]) -> Iterator[tuple[str, Work]]:
    """Real units of each stage that is asked for; each has run once before it is measured."""
    profile = load_profile("laptop")
    if asked("demonstrations"):
        cell = Cell(profile.cell)
        yield "demonstrations", lambda: [demonstrate_scene(cell, profile.data, "train", i, 0) for i in range(2)]
    if asked("Phi"):
        steps = phi_step(profile, small=True), phi_step(profile)
        yield "Phi", lambda: [step() for step in steps]
    if asked("Psi"):
        yield "Psi, all models", Passes().one_pass
    with tempfile.TemporaryDirectory() as workspace:
        worker = Worker(Path(workspace))
        if asked("table"):
            worker.start()
            yield "table: attempts", lambda: [worker.meet(task, [0], 1) for task in ("simple", "clutter", "novel")]
        if asked("twin"):
            yield "twin: trials without plans", lambda: trials(PAPER_OBJECTS[:2], 1, worker.experiment.observer)


def main(asked: list[str]) -> None:
    torch.set_num_threads(1)
    for name, work in stages(lambda stage: not asked or stage in asked):
        work()
        found = shares(work)
        print(f"{name}: " + ", ".join(f"{part} {share:.0%}" for part, share in found.items() if share >= 0.01))
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
