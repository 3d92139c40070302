"""REPRODUCING.md: what was counted, and the settings of the profiles that its tables state."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

from records import Records
from statements import claim, text_of, word

from dgrasp.cell.gripper import TIP_BEHIND
from dgrasp.cell.viewpoints import THREE_VIEWS, TWO_VIEWS
from dgrasp.evaluation.loop_series import ClosedLoopConfig
from dgrasp.evaluation.study.storage import GRACE
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.experiment.variants import ITS_STEPS, PAPERS_STARTS, SUBSET
from dgrasp.locks import SILENCE
from dgrasp.sim.objects.everyday import EVERYDAY
from dgrasp.sim.oracle import OracleConfig, oracle_grasps
from dgrasp.sim.tasks import paper as papers_tasks

PAGE = "REPRODUCING.md"


def settings(pattern: str) -> Callable[[Callable[[Profile, Profile, Profile], list[object]]], None]:
    """A claim on what the profiles paper, laptop and smoke set."""

    def register(state: Callable[[Profile, Profile, Profile], list[object]]) -> None:
        def count(records: Records) -> list[str]:
            stated = state(*map(load_profile, ("paper", "laptop", "smoke")))
            return [value if isinstance(value, str) else f"{value:,}".removesuffix(".0") for value in stated]

        count.__name__ = state.__name__
        claim(PAGE, pattern)(count)

    return register


# ---- What was counted ----


@claim(
    PAGE,
    r"of (\d+) attempts on validation scenes in clutter (\d+) lifted so, and (\d+) where all climb; single policies "
    r"lose or gain (\d+) of (\d+) at most",
)
def dropping_loses_no_attempt(records: Records) -> list[str]:
    kept = records.table("benchmarks/pruning_choice.csv")
    by_policy = kept.groupby("policy")[["after_three_steps", "everything"]].sum()
    most = (by_policy["after_three_steps"] - by_policy["everything"]).abs().max()
    (scenes,) = set(kept.groupby("policy").size())
    counts = f"{kept['after_three_steps'].sum():g}", f"{kept['everything'].sum():g}"
    return [str(len(kept)), *counts, f"{most:g}", str(scenes)]


@claim(PAGE, r"of (\d+) training scenes' annotated grasps the open hand reaches (\d+) % .*? would (\d+) % with their")
def grasps_past_the_neighbours(records: Records) -> list[str]:
    scenes = re.search(r"of (\d+) training scenes' annotated", text_of(PAGE))
    assert scenes
    return [scenes[1], _reached(int(scenes[1]), papers_tasks.GAP), _reached(int(scenes[1]), 0.0)]


@cache
def _reached(scenes: int, gap: float) -> str:
    """Percent, in scenes whose prisms keep the gap."""
    ours, papers_tasks.GAP = papers_tasks.GAP, gap
    try:
        drawn = [papers_tasks.task("simple").scene(split="train", index=i) for i in range(scenes)]
    finally:
        papers_tasks.GAP = ours
    clear, every = (sum(len(oracle_grasps(scene, clear=only)) for scene in drawn) for only in (True, False))
    return f"{100 * clear / every:.0f}"


# ---- Variants of Table 1 ----


@claim(PAGE, r"Table 1 once more, (\d+) attempts each, .*?with the paper's ([\d,]+) starts")
def attempts_of_a_variant(records: Records) -> list[str]:
    tasks = load_profile("paper").evaluation.tasks
    attempts = sum(tasks[t].scenes * tasks[t].attempts for t in ("simple", "clutter", "novel"))
    return [str(SUBSET * attempts), f"{PAPERS_STARTS:,}"]


@claim(PAGE, r"quaternions in (\d+) \+ (\d+) steps")
def steps_of_the_predecessor(records: Records) -> list[str]:
    return [str(ITS_STEPS)] * 2


# ---- Settings ----


@settings(r"\| (\d+) Base, (\d+) dGrasp for both losses .*? L_main has (\d+) for all models and L_aux (\d+)")
def poses_of_an_observation(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.value.n_poses, paper.value.slope.n_poses, laptop.value.n_poses, laptop.value.slope.n_poses]


@settings(r"4 dGrasp \| (\d+) for all, (\d+) at `smoke` \(`value\.batch`\)")
def batches(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.value.batch, smoke.value.batch]


@settings(r"any of (\d+) for all, so that only the loss differs")
def views_in_training(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [laptop.data.policy_views]


@settings(r"(\d+) at `paper` and (\d+) at `laptop`, of which the first (\w+) are those of Ψ")
def views_for_phi(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.data.views, laptop.data.views, word(laptop.data.policy_views)]


@settings(r"the same for all policies: with ([\d,]+) starts")
def starts_of_a_plan(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [laptop.optimizer.n_starts]


@settings(r"(\d+) trials of (\d+) attempts \|")
def the_papers_tuning(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.tuning.trials, paper.validation.scenes * paper.validation.attempts]


@claim(PAGE, r"(\w+) settings on the same (\d+) scenes, .*? on (\d+) further scenes")
def tuning_at_laptop(records: Records) -> list[str]:
    laptop = load_profile("laptop")
    return [word(laptop.tuning.trials), str(laptop.validation.scenes), str(laptop.validation.final_scenes)]


@settings(r"times (\d+) per metre \(`nerf.field.density_scale`\)")
def density(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return both(laptop, smoke, lambda p: [p.nerf.field.density_scale])


@settings(r"positional code \| (\d+) \+ (\d+) \| (\d+) \+ (\d+) \|")
def frequencies(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    def of(profile: Profile) -> list[object]:
        return [profile.nerf.field.position_frequencies, profile.nerf.field.direction_frequencies]

    return [*of(paper), *both(laptop, smoke, of)]


@settings(r"from ([\d.]+) to ([\d.]+) m \| `laptop`: where the ray is between ([\d.]+) and ([\d.]+) m above the floor")
def samples_along_a_ray(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.nerf.rays.near, paper.nerf.rays.far, *(laptop.nerf.rays.heights or ())]


@settings(r"\| images \| (\d+x\d+) \| (\d+x\d+) \(`smoke`\), (\d+x\d+) \(`laptop`\)")
def image_sizes(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [f"{p.data.width}x{p.data.height}" for p in (paper, smoke, laptop)]


@settings(r"\| rate (\de-\d) constant \| rate (\de-\d) falling as a cosine; `smoke`: (\d+) poses, batch (\d+)")
def training_of_psi(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    rates = [scientific(paper.value.learning_rate), *both(laptop, smoke, lambda p: [scientific(p.value.learning_rate)])]
    return [*rates, smoke.value.n_poses, smoke.value.batch]


@settings(
    r"\| queries \| (\d+), up to (\d+) mm beside the TCP \| `smoke`: (\d+) of them \((\w+) points a line\); "
    r"`laptop`: (\d+), up to (\d+) mm"
)
def queries(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    ours, reach = [p.value.queries for p in (paper, smoke, laptop)], "{:.0f}"
    millimetres = [reach.format(1000 * (q.finger_offset + q.half_length)) for q in ours]
    first, second, third = (q.n_queries for q in ours)
    return [first, millimetres[0], second, word(ours[1].points_per_line), third, millimetres[2]]


@settings(r"\| starts \(`smoke`\) \| ([\d,]+), all climb \| (\d+), of which the best (\d+) by one forward pass climb")
def starts_at_smoke(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    ((step, kept),) = smoke.optimizer.pruning
    assert step == 0 and paper.optimizer.pruning == ()
    return [paper.optimizer.n_starts, smoke.optimizer.n_starts, kept]


@settings(
    r"\| starts \(`laptop`\) \| ([\d,]+), all climb \| ([\d,]+), of which the best (\d+) climb on after (\w+) steps, "
    r"(\d+) after (\w+), (\d+) after (\w+) \(`pruning`; `seq`: (\d+) after (\w+) steps of its first part"
)
def starts_at_laptop(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    dropping = [*laptop.optimizer.pruning, *(laptop.optimizer.pruning_first or ())]
    kept = [stated for step, count in dropping for stated in (count, word(step))]
    return [paper.optimizer.n_starts, laptop.optimizer.n_starts, *kept]


@claim(PAGE, r"\*\*Climb\.\*\* .*? from the best of (\d+) poses .*? At most (\d+) mm and (\d+) degrees")
def steps_of_the_closed_loop(records: Records) -> list[str]:
    loop = ClosedLoopConfig()
    return [str(loop.ascent.scored), f"{1000 * loop.steps.step:g}", f"{math.degrees(loop.steps.turn):.0f}"]


@claim(PAGE, r"stood within (\d+) mm and (\d+) degrees of the summit for two observations; after (\d+) of them")
def when_the_fingers_close(records: Records) -> list[str]:
    loop = ClosedLoopConfig()
    return [f"{1000 * loop.ascent.near:g}", f"{math.degrees(loop.ascent.near_turn):.0f}", str(loop.steps.looks)]


@claim(
    PAGE, r"slides by (\d, \d or \d) cm .*? at (\d+ or \d+) mm/s .*? off by (\d or \d+) mm, or by (\d or \d) degrees"
)
def disturbances(records: Records) -> list[str]:
    loop = ClosedLoopConfig()
    sizes = ([f"{x:g}" for x in all_] for all_ in (loop.push_cm, loop.drift_mm_s, loop.shift_mm, loop.turn_degrees))
    return [" or ".join([", ".join(each[:-1]), each[-1]]) for each in sizes]


@claim(PAGE, r"to ([\d.]+) m above the grasp and go straight down, recorded at (\d+) Hz")
def trajectories(records: Records) -> list[str]:
    return [f"{OracleConfig().pregrasp:.2f}", f"{OracleConfig().rate:g}"]


@claim(PAGE, r"prisms keep (\d+) mm from each other")
def gap_between_prisms(records: Records) -> list[str]:
    return [f"{1000 * papers_tasks.GAP:g}"]


@claim(
    PAGE,
    r"drawn from, (\d+) degrees .*? at azimuths of ±(\d+) degrees \(two views\) and .(\d+), (\d+), (\d+) \((\w+)\)",
)
def evaluation_cameras(records: Records) -> list[str]:
    (polar,) = {polar for _, polar in (*TWO_VIEWS, *THREE_VIEWS)}
    azimuths = [abs(azimuth) for azimuth, _ in (TWO_VIEWS[1], *THREE_VIEWS)]
    return [*(f"{angle:g}" for angle in (polar, *azimuths)), word(len(THREE_VIEWS))]


@claim(PAGE, r"none of the twin's (\w+)[.;]")
def objects_of_the_twin(records: Records) -> list[str]:
    return [word(len(EVERYDAY))]


@claim(PAGE, r"\*\*TCP\.\*\* (\d+) mm behind the closed")
def tcp_behind_the_fingertips(records: Records) -> list[str]:
    return [f"{1000 * TIP_BEHIND:g}"]


@settings(r"so that the (\d+) query points reach the fingertips")
def query_points(paper: Profile, laptop: Profile, smoke: Profile) -> list[object]:
    return [paper.value.queries.n_queries]


@claim(PAGE, r"on another machine after (\d+) seconds without a sign of life")
def silence_of_the_dead(records: Records) -> list[str]:
    return [f"{SILENCE:g}"]


@claim(PAGE, r"counts as dead after (\d+) s without a sign of life")
def silence_of_a_maker(records: Records) -> list[str]:
    return [f"{GRACE:g}"]


def both(one: Profile, other: Profile, state: Callable[[Profile], list[object]]) -> list[object]:
    """What two profiles set alike."""
    assert state(one) == state(other)
    return state(one)


def scientific(rate: float) -> str:
    mantissa, exponent = f"{rate:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
