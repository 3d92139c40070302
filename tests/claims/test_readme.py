"""README.md as a whole: what `make figures` writes into it, and its code. Its numbers: `test_statements.py`."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from dgrasp.experiment.chain import Experiment
from dgrasp.report.readme import (
    BEGIN,
    END,
    answer,
    by_the_seeds_alone,
    on_another_hand,
    on_later_seeds,
    on_such_objects,
    results_block,
    settings_of_the_climb,
    what_pairs_share,
    write_results,
)
from dgrasp.report.studio import Studio

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


def test_make_figures_would_write_what_stands_there(experiment, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write_results(page, results_block(Studio(experiment)))
    assert page.read_text(encoding="utf-8") == README.read_text(encoding="utf-8")
    write_results(page, f"{BEGIN}\nother\n{END}")
    assert "\nother\n" in page.read_text(encoding="utf-8")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place for results"):
        write_results(page, "")


def test_later_seeds_are_counted_alone_where_there_are_any():
    """Twelve scenes for each of three seeds: dGrasp lifts in all, Base in none of the later seeds' and all of 0's."""
    rows = [
        {
            "policy": f"{method}_quat_seq", "task": "novel", "split": "test", "scene": scene, "repetition": 0,
            "attempt": 0, "seed": seed, "success": method == "dgrasp" or seed == 0, "objects": "pear",
        }
        for seed in range(3)
        for scene in range(12)
        for method in ("base", "dgrasp")
    ]  # fmt: skip
    seeds = [SimpleNamespace(seed=seed) for seed in range(3)]
    said = on_later_seeds(SimpleNamespace(trials=pd.DataFrame(rows), seeds=seeds))
    assert said == (
        "\n  On training seeds 1, 2 alone, which ran after the table of seed 0 was seen: 1 of 1\n"
        "  (bootstrap of training seeds and scenes)."
    )
    two = pd.DataFrame(rows).query("seed < 2")
    assert on_later_seeds(SimpleNamespace(trials=two, seeds=seeds[:2])) == (
        "\n  On training seed 1 alone, which ran after the table of seed 0 was seen: 1 of 1\n"
        "  (permutation test by scene, an interim look)."
    )
    assert on_later_seeds(SimpleNamespace(trials=pd.DataFrame(rows), seeds=seeds[:1])) == ""


def test_what_holds_for_other_objects_is_counted_with_objects_as_draws():
    def attempts(objects: int):
        kind = {"seed": 0, "task": "novel", "split": "test", "repetition": 0, "attempt": 0}
        return pd.DataFrame(
            [
                {**kind, "policy": policy, "scene": scene, "success": lifted, "objects": f"object {scene % objects}"}
                for policy, lifted in (("base_quat_sync", False), ("dgrasp_quat_sync", True))
                for scene in range(24)
            ]
        )

    said = on_such_objects(attempts(8))
    assert said.endswith(
        "too): 1 of 1 on single objects\n"
        "  (1 before Holm's correction; with 8 objects a task no corrected p is below 0.008)."
    )
    assert "too): 0 of 1 on" in on_such_objects(attempts(4)), "four objects cannot show it: p is 0.125 at least"
    assert on_such_objects(attempts(4).assign(objects="prism 1, prism 2")) == ""


def test_one_study_of_a_later_seed_that_picks_other_settings_is_said():
    def experiment(**untuned):
        studies = {name: SimpleNamespace(summary={"untuned": kept, "success": 0.9}) for name, kept in untuned.items()}
        validation = SimpleNamespace(tasks=("simple",))
        return SimpleNamespace(tuning=lambda: studies, profile=SimpleNamespace(validation=validation))

    same, other = experiment(base_6d_seq=True, dgrasp_6d_seq=True), experiment(base_6d_seq=True, dgrasp_6d_seq=False)
    assert settings_of_the_climb([same, same]).startswith("- Both methods climb with the same optimizer settings")
    said = settings_of_the_climb([same, other])
    assert said.startswith(
        "- Hyperparameter tuning changed the optimizer settings in 1 of 4 studies (Base 0, dGrasp 1)"
    )
    assert "same optimizer" not in said


def test_what_so_many_seeds_say_and_which_are_to_come(experiment):
    profile = experiment.profile
    assert what_pairs_share(profile, [0]).endswith("not measured by one seed. Seeds 1 and 2 are not run yet.")
    assert what_pairs_share(profile, [0, 1]).endswith("hardly measured by two seeds. Seed 2 is not run yet.")
    assert what_pairs_share(profile, [0, 1, 2]).endswith("measured roughly by three seeds or more.")
    assert "in each seed all policies share 3 networks." in what_pairs_share(profile, [0])


def test_the_answer_may_come_out_either_way():
    def table(*rates):
        policies = ["base_quat_seq", "dgrasp_quat_seq"] * (len(rates) // 2)
        tasks = [task for task in ("simple", "novel") for _ in "ab"][: len(rates)]
        return pd.DataFrame({"policy": policies, "task": tasks, "rate": rates})

    def pairs(*p, novel=0.125):
        return pd.DataFrame({"task": ["simple", "novel"], "difference": [0.25, novel], "p_holm": p})

    four = table(0.5, 0.75, 0.5, 0.625)
    assert answer(four, pairs(0.01, 0.01)).startswith("**Yes, on this cell.** ")
    assert answer(four, pairs(0.01, 0.01)).endswith("+0.25 on simple, +0.12 on novel objects.")
    assert answer(four, pairs(0.01, 0.9)).startswith("**On some tasks.** "), "a mean that is ahead by chance is no yes"
    assert answer(four, pairs(0.01, 0.01, novel=-0.125)).startswith("**On some tasks.** ")
    assert answer(four, pairs(0.9, 0.9)).startswith("**Not beyond chance.** ")
    assert answer(four, pairs(0.9, 0.01, novel=-0.125)).startswith("**No, less on some tasks.** ")
    assert answer(table(0.5, 0.5).iloc[:1], pairs(0.9, 0.9)) == "One method alone was tried: Base."


def test_the_seeds_alone_are_counted_by_their_t():
    """Differences of 0.5 in each of three seeds, or of one seed alone."""
    rows = [
        {
            "policy": f"{method}_quat_seq", "task": "novel", "split": "test", "scene": scene, "repetition": 0,
            "attempt": 0, "seed": seed, "success": (method == "dgrasp" and scene % 2 == 0) or scene == seed,
            "objects": "pear",
        }
        for seed in range(3)
        for scene in range(12)
        for method in ("base", "dgrasp")
    ]  # fmt: skip
    three = pd.DataFrame(rows)
    said = by_the_seeds_alone(three)
    assert said.endswith("the 3 seeds' differences alone: 1 of 1\n  (1 before Holm's correction).")
    other = three.assign(success=three["success"] & (three["seed"] == 0))
    assert "alone: 0 of 1" in by_the_seeds_alone(other) and by_the_seeds_alone(three[three["seed"] == 0]) == ""


def test_another_hand_may_show_the_effect_too():
    none = pd.DataFrame({"difference": [0.1, -0.1], "p_holm": [0.5, 0.5], "seeds": [1, 1]})
    assert on_another_hand(none.iloc[:0]) == []
    assert "no difference that one training seed can tell" in on_another_hand(none)[0]
    assert "0 of 2 tasks" in on_another_hand(none)[0]
    assert "the effect is there, too" in on_another_hand(none.assign(p_holm=[0.01, 0.5]))[0]


def test_the_six_lines_plan_a_grasp(monkeypatch, tmp_path, capsys):
    (code,) = re.findall(r"## Plan a grasp\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert found["plan"].T_world_tcp.shape == (4, 4) and f"{found['plan'].value}" in capsys.readouterr().out


def test_lines_are_short_and_the_animation_is_light():
    assert max(len(line) for line in README.read_text(encoding="utf-8").splitlines()) < 120
    assert (ROOT / "figures" / "climb.gif").stat().st_size < 2 * 2**20
