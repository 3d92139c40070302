"""The model card: what the trained models of an experiment are, made from its runs and written beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dgrasp.data.card import markdown_table
from dgrasp.evaluation.statistics import success_rates
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.store import DEFAULT, NAME
from dgrasp.files import read_json
from dgrasp.policy.policies import policy_spec
from dgrasp.runs import Run
from dgrasp.sim.objects import ycb
from dgrasp.sim.tasks.paper import task

HEAD = """\
# Model card

Φ, an image-conditioned radiance field trained for novel view synthesis, and {models} value functions Ψ that score
6-DoF grasp poses from its activations (dGrasp, arXiv 2406.09939). Profile `{profile}`, seed {seed}, {train} training
scenes ({scenes}) with {views} images of {width}x{height} pixels
each. Every number here is read from the runs beside it.

"""
LOADING = """\
Load them with `Experiment.open("{published}", "build/published"{seed})`, then `.load_nerf()`, \
`.load_value("{example}")` or
`.policy("{policy}")`.
"""
NOT_KEPT = """\
Their weights are not kept: of this seed, attempts and studies are published.
"""
WEIGHTS = "*.safetensors"
LIMITS = """\
## What they are for, and what they are not

- For reading, reproducing and extending the paper's simulated experiment in the cell of `dgrasp.sim`: a UR10 with a
  2F-140 over a board, two images from the fixed evaluation viewpoints, cameras exactly known.
- Trained in simulation alone, on scenes as named above. They have never been asked for a grasp on hardware.
  `dgrasp.robot` checks every pose before an arm moves; it cannot know whether a grasp is good.
- Images of another camera, distance or size than in training are out of distribution, and are not refused.
- One training seed. Differences between models include the luck of that seed.
- The value is a logit and no probability: it ranks poses of one scene.
- No people and no personal data in the images. Weights: MIT, as the code. YCB models serve as test objects alone.
"""
WIDER = """\
- Not the paper's experiment: trained on random benches, lights and cameras, and with cameras stated with errors. That
  is a family of renderings: photographs of a real bench are outside of it, and so is a camera that is centimetres off.
- Objects of training are procedural, of wood's or plastic's friction, 5 to 900 g. Soft, transparent, mirroring and
  heavier ones were never met.
"""
TWO_ROUNDS = """\
- Values were taught by grasps that failed in this simulator, with this hand. Another hand fails elsewhere.
"""


def limits(profile: Profile) -> str:
    """What the networks of a profile are for, and what they are not."""
    further = ""
    if profile.data.looks is not None or profile.value.calibration is not None:
        further += WIDER
    if profile.outcomes is not None:
        further += TWO_ROUNDS
    return LIMITS + further


def model_card(experiment: Experiment) -> str:
    """The card as Markdown; raises RunError where a stage is not complete."""
    p, nerf, values = experiment.profile, experiment.nerf(), experiment.values()
    distinct = {run.path: run for run in values.values()}
    policies = p.evaluation.policies
    head = HEAD.format(
        models=len(distinct), profile=p.name, seed=experiment.seed, train=p.data.train_scenes, views=p.data.views,
        scenes=task(p.data.task).description, width=p.data.width, height=p.data.height,
    )  # fmt: skip
    head += NOT_KEPT if not nerf.files(WEIGHTS) else LOADING.format(
        published=NAME if p.name == DEFAULT else f"{NAME}:{p.name}", example=next(iter(values)), policy=policies[-1],
        seed=f", seed={experiment.seed}" if experiment.seed else "",
    )  # fmt: skip
    validated = f"the first {p.value.validation_scenes} held-out demonstrations, at the last validation"
    sections = [
        ("Weights", _weights({"nerf": nerf} | values)),
        ("Quality of Φ on held-out scenes", _numbers(nerf)),
        (f"Quality of Ψ on {validated}", _validation(values)),
        ("Optimizer settings of the policies, as their studies chose them", _tuned(experiment)),
        ("Grasp success in simulation (successes of attempts, Wilson interval)", _success(experiment)),
    ]
    return head + "".join(f"\n## {title}\n\n{markdown_table(frame)}" for title, frame in sections) + "\n" + limits(p)


def _weights(runs: Mapping[str, Run]) -> pd.DataFrame:
    rows = []
    for name, run in runs.items():
        files = run.files(WEIGHTS)  # none of a seed whose weights are not kept
        commit = str(read_json(run.path / "run.json")["made_by"]["commit"])
        rows.append(
            {
                "model": name,
                "file": ", ".join(f"{run.path.name}/{file.name}" for file in files) or "not kept",
                "MiB": ", ".join(f"{file.stat().st_size / 2**20:.2f}" for file in files),
                "steps": run.summary.get("steps", run.summary.get("step")),
                "minutes": f"{run.seconds / 60:.0f}",
                "precision": run.summary["precision"].removeprefix("torch."),
                "commit": commit[:10],
            }
        )
    return pd.DataFrame(rows)


def _numbers(run: Run) -> pd.DataFrame:
    named = {"psnr": "PSNR, whole images (dB)", "psnr_objects": "PSNR, object pixels (dB)", "ssim": "SSIM"}
    return pd.DataFrame({"measure": list(named.values()), "value": [_measured(run, k, 2) for k in named]})


def _validation(values: Mapping[str, Run]) -> pd.DataFrame:
    named = {
        "val_main": "main loss",
        "val_top1": "grasp ranked first",
        "val_cos_translation": "cosine of slope and displacement, translation",
        "val_cos_rotation": "cosine, rotation",
    }
    return pd.DataFrame(
        {"model": model} | {label: _measured(run, key, 3) for key, label in named.items()}
        for model, run in values.items()
    )


def _measured(run: Run, key: str, digits: int) -> str:
    """A number of the validation; where nothing was held out there is none."""
    return f"{run.summary[key]:.{digits}f}" if key in run.summary else "not measured (nothing held out)"


def _tuned(experiment: Experiment) -> pd.DataFrame:
    names = ("steps", "translation_rate", "rotation_rate", "translation_decay", "rotation_decay")
    rows = []
    for policy, run in experiment.tuning().items():
        best = run.summary["optimizer"]
        rows.append(
            {"policy": policy, "model": policy_spec(policy).model, "trials": run.summary["trials"]}
            | {name: f"{best[name]:.3g}" for name in names}
            | {"validation success": f"{run.summary['success']:.2f}"}
        )
    return pd.DataFrame(rows)


def _success(experiment: Experiment) -> pd.DataFrame:
    trials = read_attempts(experiment.evaluation())
    rates = success_rates(trials, experiment.profile.evaluation)
    cells = [f"{r.successes} of {r.n} [{r.low:.2f}, {r.high:.2f}]" for r in rates.itertuples()]
    table = rates.assign(cell=cells).pivot(index="policy", columns="task", values="cell")
    tasks = list(experiment.profile.evaluation.tasks)
    models = trials.groupby("task")["models"].agg(lambda names: "; ".join(sorted(map(ycb.described, set(names)))))
    table = table.loc[list(dict.fromkeys(rates["policy"])), tasks].reset_index()
    return pd.concat([table, pd.DataFrame([{"policy": "object models", **models[tasks]}])], ignore_index=True)
