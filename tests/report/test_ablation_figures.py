"""The ablations in pictures and sentences: all arms are shown, and nothing where nothing was tried."""

from types import SimpleNamespace

import pandas as pd
import pytest

from dgrasp.experiment.ablations.rows import COLUMNS, COMPARED
from dgrasp.experiment.questions import questions
from dgrasp.report.figures.ablations import NOT_RUN, comparable, plot_ablations, printed, tried_so_far
from dgrasp.report.tables.ablations import answers, second_order_answer


def rows() -> pd.DataFrame:
    one = {
        "question": "starts",
        "task": "novel",
        "n": 10,
        "seed": 0,
        "minutes": 1.0,
        "rate": 0.5,
        "low": 0.2,
        "high": 0.8,
    }
    arms = [{**one, "arm": arm, "successes": k} for k, arm in enumerate(("base", "base_twice", "dgrasp"))]
    return pd.DataFrame([*arms, {**arms[0], "question": "poses", "arm": "base_64"}], columns=list(COLUMNS))


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(lambda x: hasattr(x, "get_text"))}


def test_every_question_has_a_panel_with_its_arms():
    figure = plot_ablations(rows())
    assert {"Base", "Base twice", "dGrasp", "Base 64", "novel objects"} <= texts(figure)
    said = {" ".join(text.split()) for text in texts(figure)}
    assert {questions()[name].asks for name in ("starts", "poses")} <= said, "in words, not by its short name"
    rate = figure.axes[0].containers[0][0].get_xdata()
    assert list(rate) == pytest.approx([0.0, 0.1, 0.2]), "rates are of the counts"


def test_what_has_not_been_tried_is_said_and_no_number_is_shown():
    assert texts(plot_ablations(rows()[:0])) - {""} == {NOT_RUN}
    assert answers(pd.DataFrame(columns=list(COMPARED))) == []


def test_answers_name_what_is_beyond_chance_and_where_nothing_is_there():
    one = {"question": "poses", "against": "base_512", "expects": "lower", "low": -0.3, "high": -0.1, "p_holm": 0.01}
    sure = {**one, "arm": "base_64", "task": "novel", "difference": -0.2, "verdict": "agrees"}
    rest = {
        **one,
        "arm": "base_64",
        "task": "clutter",
        "difference": 0.02,
        "verdict": "cannot be told",
        "p_holm": 0.9,
    }
    table = pd.DataFrame([sure, rest], columns=list(COMPARED))
    (said,) = answers(table)
    assert "On novel objects, Base 64 lifts 0.20 less than Base 512 (95 % interval of the difference -0.30 to" in said
    assert said.endswith("-0.10): agrees. Not told apart: Base 64 and Base 512, clutter (+0.02).")
    (silent,) = answers(table.assign(expects="nothing", verdict="lower; the paper does not say"))
    assert "-0.10). Not told apart" in silent, "nothing is said of a paper that does not say anything"
    (said,) = answers(table.assign(verdict=["agrees", "disagrees"]))
    assert said.endswith("Intervals that exclude 0.05 in the paper's direction (disagrees): Base 64, clutter.")


def test_whether_second_order_is_needed_is_answered():
    one = {"question": "second_order", "arm": "dgrasp", "task": "novel", "seeds": 1, "difference": 0.1, "p_holm": 0.01}
    rows = [{**one, "against": name} for name in ("base", "slope_head", "finite_differences")]
    table = pd.DataFrame(rows, columns=list(COMPARED))
    assert second_order_answer(table) == (
        "It is ahead of all first-order rivals on some task. Behind it beyond chance: slope head on novel objects "
        "(+0.10); finite differences on novel objects (+0.10) (one training seed)."
    )
    table.loc[1, "p_holm"] = 0.4
    assert second_order_answer(table).startswith("Not shown to be needed: slope head, without it, is not told apart")
    assert "(3 training seeds)" in second_order_answer(table.assign(seeds=3))
    assert second_order_answer(table.iloc[:1]) == second_order_answer(table.assign(question="poses")) == ""


def test_tables_are_printed_in_words_and_counts():
    table = rows().assign(arrived=3, starts=2048, steps=600)
    assert printed(table)["arrived"].tolist() == ["3 of 2048"] * 4 and "starts" not in printed(table)
    pair = {"question": "poses", "arm": "base_64", "against": "base_512", "task": "novel", "expects": "nothing"}
    said = printed(pd.DataFrame([pair], columns=list(COMPARED))).iloc[0]
    assert (said["arm"], said["against"], said["the paper"]) == ("Base 64", "Base 512", "does not say")


def test_a_question_with_one_arm_alone_is_not_shown():
    first, second = (SimpleNamespace(seed=seed) for seed in (0, 1))
    arms = (("poses", "x"), ("poses", "y"), ("weight", "x"))
    found = [SimpleNamespace(question=q, arm=a, run=first) for q, a in arms]
    others = [SimpleNamespace(question=q, arm=a, run=second) for q, a in (("weight", "y"), ("poses", "x"))]
    kept = comparable([*found, *others])
    assert {(result.question, result.run.seed) for result in kept} == {("poses", 0)}


@pytest.mark.parametrize(("seeds", "said"), [([0], "training seed 0"), ([0, 1], "training seeds 0, 1")])
def test_an_arm_of_several_seeds_is_one_arm(monkeypatch, seeds, said):
    arms = [SimpleNamespace(question="starts", arm=arm) for arm in ("base", "dgrasp")]
    table = pd.concat([rows()[:2].assign(seed=seed) for seed in seeds])
    monkeypatch.setattr("dgrasp.report.figures.ablations.ablation_rows", lambda found: table)
    told = tried_so_far([arm for _ in seeds for arm in arms])
    assert told == f"2 arms of 1 questions have been tried, 10 attempts each on a task, {said}."
