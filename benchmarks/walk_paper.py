"""The profile `paper`, walked: one real step of every stage at full size, on the processor, each in its own process.

    python benchmarks/walk_paper.py         all pieces, one after the other, into dgrasp/experiment/walked_paper.json
    python benchmarks/walk_paper.py Phi     one piece, as a line of JSON

Of each piece: CPU seconds, memory in MiB of weights and inputs (`resident_mib`) and on top of them at the peak
(`peak_mib`), and floating-point operations, counted by torch. Weights are not trained and images made up: neither
changes what a step costs. `dgrasp.experiment.needs` makes of it what a GPU would need.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from plain import added_peak_mib, encoded, frozen, resident_mib, value_on
from torch.utils.flop_counter import FlopCounterMode

import dgrasp
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.provenance import provenance

RESULT = Path(dgrasp.__file__).parent / "experiment" / "walked_paper.json"  # for `dgrasp doctor --profile paper`
MODELS = ("base", "dgrasp_quat", "dgrasp_6d", "base_control")
ONE_SCENE = {"objects_per_scene": 1, "train_scenes": 1, "validation_scenes": 0, "draws": 1}
Work = Callable[[], object]


def demonstrations(profile: Profile) -> Work:
    """One object lifted by the oracle, and its 50 views: a fifth of a scene."""
    from dgrasp.data.generate import demonstrate_scene
    from dgrasp.sim.cell import Cell

    data, cell = profile.data.model_copy(update=ONE_SCENE), Cell(profile.cell)
    return lambda: demonstrate_scene(cell, data, "train", 0, 0)


def phi(profile: Profile) -> Work:
    """A step: four scenes, 512 rays each, forward, backward, Adam."""
    return phi_step(profile)


def phi_step(profile: Profile, small: bool = False) -> Work:
    """A step of Phi's training at a profile's size, on made-up images. small: on images of half the size."""
    from bench_value import made_up

    from dgrasp.nerf.batches import draw_batch, halved
    from dgrasp.nerf.pretrain import ViewSynthesis, build_optimizer, gradient

    model, training = _phi(profile), profile.nerf.training
    few = {"policy_views": training.source_views + 1}
    profile = profile.model_copy(update={"data": profile.data.model_copy(update=few)})
    scenes = [made_up(i, profile) for i in range(training.scenes_per_step)]
    synthesis, optimizer = ViewSynthesis(model), build_optimizer(model)

    def step() -> None:
        batch = draw_batch(scenes, training, 0, 0)
        gradient(synthesis, halved(batch) if small else batch, 0, 0)
        optimizer.step()

    return step


def psi(profile: Profile) -> Work:
    """A step of all four models in one pass: four observations, encoded here."""
    from bench_value import made_up

    from dgrasp.value.models import ValueRecipe
    from dgrasp.value.observations import Observations
    from dgrasp.value.trainer import Trainer
    from dgrasp.value.training import build_value

    config, model = profile.value, _phi(profile).requires_grad_(False)
    values = [build_value(config, model) for _ in MODELS]
    seen = Observations([made_up(i, profile) for i in range(config.batch)], values[0], config.cache_gib, config.maps)
    trainer = Trainer([ValueRecipe(model=name, value=config) for name in MODELS], values, seen, seed=0)
    return lambda: trainer.step(0)


def plans(profile: Profile) -> Work:
    """A step of a plan: two images, encoded before, 4,096 starts."""
    from dgrasp.poses import uniform_poses
    from dgrasp.slopes.climb import optimize_poses

    value = frozen(value_on(_phi(profile), profile.value))
    score = value.bind(encoded(value, profile.evaluation.views, profile.data.width, profile.data.height))
    poses = uniform_poses(profile.optimizer.n_starts, *profile.value.bounds, torch.Generator().manual_seed(0))
    one = profile.optimizer.model_copy(update={"steps": 1})
    return lambda: optimize_poses(score, poses, one, bounds=profile.value.bounds)


def encoding(profile: Profile) -> Work:
    """One image through the encoder, as plans and Psi's training see it."""
    model = frozen_encoder(profile)
    image = torch.rand(1, 3, profile.data.height, profile.data.width)

    def encode() -> None:
        with torch.no_grad():
            model(image)

    return encode


def frozen_encoder(profile: Profile) -> torch.nn.Module:
    """The encoder alone, as it is used and not trained."""
    return _phi(profile).encoder.requires_grad_(False)


def attempts(profile: Profile) -> Work:
    """What an attempt costs beside its plan: two views of a scene of five objects, and one grasp of the oracle's."""
    from dgrasp.cameras import Intrinsics
    from dgrasp.cell.viewpoints import evaluation_viewpoints
    from dgrasp.sim.cell import Cell
    from dgrasp.sim.oracle import oracle_grasps
    from dgrasp.sim.tasks.paper import task

    scene, cell = task("simple").scene("test", 0, 0), Cell(profile.cell)
    grasp, intrinsics = oracle_grasps(scene)[0], Intrinsics.d415(profile.data.width, profile.data.height)

    def attempt() -> None:
        cell.reset(scene)
        cell.observe(evaluation_viewpoints(profile.evaluation.views), intrinsics)
        cell.execute(grasp)

    return attempt


PIECES: dict[str, Callable[[Profile], Work]] = {
    "demonstrations": demonstrations,
    "Phi": phi,
    "Psi": psi,
    "encoding": encoding,
    "plans": plans,
    "attempts": attempts,
}


def linear_flop(x: Sequence[int], *_: object, out_shape: Sequence[int], **__: object) -> int:
    """Of a product of rows with a packed matrix, which torch does not count."""
    return 2 * math.prod(out_shape) * x[-1]


ALSO = {torch.ops.mkldnn._linear_pointwise: linear_flop}


class Everything:
    """In the place of torch's tracker of modules, whose hooks do not go with `torch.autograd.grad`."""

    parents = frozenset({"Global"})

    def __enter__(self) -> Everything:
        return self

    def __exit__(self, *_: object) -> None: ...


def walk(name: str) -> dict[str, float]:
    """One piece, here."""
    torch.set_num_threads(1)
    before = resident_mib()  # the machine's libraries are not counted
    work, counter = PIECES[name](load_profile("paper")), FlopCounterMode(display=False, custom_mapping=ALSO)
    counter.mod_tracker = Everything()  # type: ignore[assignment]
    inputs, start = resident_mib() - before, sum(os.times()[:2])

    def counted() -> None:
        with counter:
            work()

    peak = added_peak_mib(counted)
    spent = sum(os.times()[:2]) - start
    return {
        "cpu_seconds": round(spent, 2),
        "resident_mib": round(inputs, 1),
        "peak_mib": round(peak, 1),
        "flop": counter.get_total_flops(),
    }


def _phi(profile: Profile) -> MVNeRF:
    """As the profile says, from random weights: ImageNet's are the same in number."""
    if profile.nerf.encoder.kind != "vision":
        return build_nerf(profile.nerf)
    encoder = profile.nerf.encoder.model_copy(update={"weights": None, "weights_sha256": None})
    return build_nerf(profile.nerf.model_copy(update={"encoder": encoder}))


def main(names: list[str]) -> None:
    """One piece to stdout; all of them, or those that are missing with `--missing`, to the file."""
    if len(names) == 1 and names[0] in PIECES:
        print(json.dumps(walk(names[0])), flush=True)
        return
    kept = json.loads(RESULT.read_text())["pieces"] if names == ["--missing"] and RESULT.is_file() else {}
    made = provenance()
    about = {key: made[key] for key in ("commit", "python", "platform", "processors")}
    about |= {"torch": torch.__version__, "machine": platform.processor() or platform.machine(), "threads": 1}
    for name in PIECES:
        if name not in kept:
            command = [sys.executable, __file__, name]
            kept[name] = json.loads(
                subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
            )
        RESULT.write_text(json.dumps({"profile": "paper", "made_by": about, "pieces": kept}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
