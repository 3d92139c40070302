"""The notebooks' answers say what the data say, and may come out either way."""

import pandas as pd
import pytest

from dgrasp.report import answers
from dgrasp.twin.sweep import ROTATION, TRANSLATION


def test_the_idea():
    much = answers.idea_answer({"main loss only": 0.01, "both": 0.91})
    assert much == "Much: 91% of the walkers arrive after both, 1% after main loss only."
    assert answers.idea_answer({"one": 0.5, "both": 0.52}).startswith("Nothing to speak of")


def test_learning():
    said = answers.learning_answer({"main loss only": "never", "both losses": "from step 69 on"})
    assert said == "Half of the walkers arrive from step 69 on with both losses, never with main loss only."


def test_the_harder_part():
    said = answers.parts_answer({"main loss only": (0.03, 0.8), "both": (0.9, 0.95)})
    assert said.startswith("To bring it to the hole. Of the pegs that climbed, main loss only: 3% at the hole, 80%")
    assert answers.parts_answer({"one": (0.8, 0.1)}).startswith("To turn it.")


def test_who_loses_more():
    assert answers.loss_answer({"Base": (0.46, 0.24), "dGrasp": (0.8, 0.32)}).startswith("dGrasp keeps the smaller")
    assert answers.loss_answer({"Base": (0.46, 0.10), "dGrasp": (0.8, 0.32)}).startswith("Base keeps the smaller")


def test_data():
    said = answers.data_answer(12, 3, 4, 0.01, 0.304)
    assert (
        "12 grasps" in said and "in 3 scenes" in said and "(4 more are for" in said and "poses are 1 to 30 cm" in said
    )


def test_the_probe():
    assert answers.probe_answer({"scene activations": 0.95, "position alone": 0.8}).startswith("Yes: ")
    assert answers.probe_answer({"scene activations": 0.81, "position alone": 0.8}).startswith("No: ")


def test_sharpness():
    assert answers.sharpness_answer(28.2, 18.3).startswith("The table: 28.2 dB")
    assert answers.sharpness_answer(18.2, 28.3).startswith("The objects")


def test_the_ray():
    ray = pd.DataFrame({"ray": "through the object", "depth": [0.80, 0.81, 0.82, 0.83, 0.835]})
    ray["inside"] = [False, True, True, False, False]
    assert answers.ray_answer(ray.assign(probe=[0.0, 0.4, 0.8, 0.1, 0.3])) == (
        "Where it ends, too: the probe averages 0.80 in the back half of the object and 0.20 in the 2 cm behind it."
    )
    assert answers.ray_answer(ray.assign(probe=[0.0, 0.4, 0.8, 0.9, 0.7])).startswith("Not where it ends")
    assert answers.ray_answer(ray.assign(probe=0.0, inside=False)).startswith("Not known")


def test_slopes():
    medians = pd.DataFrame({"translation": [0.1, 0.8], "rotation": [0.0, 0.5]}, index=["base", "dgrasp_6d"])
    said = answers.slope_answer(medians)
    assert (
        said.startswith("The taught slopes follow the demonstrator more closely")
        and "dGrasp (6D) 0.80 and 0.50" in said
    )
    assert "no more closely" in answers.slope_answer(medians.assign(translation=[0.8, 0.1]))


def test_chance():
    said = [answers.chance_answer(pd.Series({"translation": t, "rotation": 0.02})) for t in (0.0, 0.13)]
    assert said[0].startswith("Yes: ") and said[1].startswith("In one part: its median cosines are 0.13")
    assert answers.chance_answer(pd.Series({"translation": 0.13, "rotation": 0.55})).startswith("No: ")


def test_arrivals():
    table = pd.DataFrame({"policy": ["base_6d_sync", "dgrasp_6d_sync"], "near_grasp": [0.01, 0.04]})
    sure = pd.DataFrame({"difference": [0.03, 0.02], "p_holm": [0.01, 0.02], "scenes": [8, 8]})
    said = answers.arrival_answer(table, sure)
    assert (
        "Teaching slopes makes more of them arrive, beyond chance (" in said and "8 scenes, one training seed" in said
    )
    part = answers.arrival_answer(table, sure.assign(p_holm=[0.01, 0.2]))
    assert "more of them arrive in 1 of 2 pairs, and less in 0, beyond chance" in part
    assert "in 0 of 2 pairs, and less in 1" in answers.arrival_answer(table, sure.assign(difference=-1, p_holm=[0, 1]))
    assert "No pair" in answers.arrival_answer(table, pd.DataFrame())
    assert answers.arrival_answer(table.assign(near_grasp=float("nan")), sure).startswith("Not known")
    assert said.startswith("From few places")
    assert answers.arrival_answer(table.assign(near_grasp=[0.3, 0.7]), sure).startswith("From most places")


@pytest.mark.parametrize(
    ("differences", "p", "said"),
    [
        ([0.2, 0.1], [0.01, 0.5], "Teaching slopes helps. Mean of policies and tasks: dGrasp lifts 0.80"),
        ([-0.2, 0.1], [0.01, 0.5], "Teaching slopes hurts."),
        ([0.2, -0.1], [0.01, 0.01], "Teaching slopes helps some and hurts others."),
        ([0.2, -0.1], [0.1, 0.1], "Teaching slopes changes nothing beyond chance."),
    ],
)
def test_lifting(differences, p, said):
    rates = pd.DataFrame({"policy": ["base_6d_sync", "dgrasp_6d_sync"], "rate": [0.5, 0.8]})
    pairs = pd.DataFrame({"difference": differences, "p_holm": p})
    seeds = pd.DataFrame({"difference": differences, "seeds": 2, "p_seeds": [0.01, 0.2]})
    assert (found := answers.lifting_answer(rates, pairs, seeds)).startswith(said)
    assert (
        f"by the 2 seeds' differences alone (Student's t, uncorrected) it is ahead in {int(differences[0] > 0)}"
        in found
    )
    assert answers.lifting_answer(rates, pairs, seeds.assign(seeds=1)).endswith("how the next would do.")
    ahead, sure = sum(d > 0 for d in differences), sum(d > 0 and x < 0.05 for d, x in zip(differences, p, strict=True))
    assert f"ahead in {ahead} of 2 pairs, in {sure} of them beyond chance" in found


def test_transfer():
    lifted = {"dGrasp": (64, 200), "Base": (48, 200)}
    assert answers.transfer_answer(lifted, hardware=False).startswith("Not known: no robot moved.")
    assert "dGrasp lifts in 64 of 200 trials and Base lifts in 48 of 200 trials" in answers.transfer_answer(
        lifted, hardware=True
    )


def test_beyond_and_closed_loop():
    assert answers.beyond_answer(pd.DataFrame(), pd.DataFrame()).startswith("Not known yet")
    rows = pd.DataFrame({"policy": ["base_quat_sync", "dgrasp_quat_sync"], "task": ["simple"] * 2, "rate": [0.5, 0.9]})
    assert "is not known: no attempts are kept" in answers.beyond_answer(rows, pd.DataFrame())
    tested = pd.DataFrame({"task": ["simple"], "difference": [0.4], "p_holm": [0.01], "seeds": [1]})
    said = answers.beyond_answer(rows, tested)
    assert "more than Base in 1 of 1 tasks and less in 0; the differences are +0.40 to +0.40" in said
    assert "(permutation test by scene, Holm" in answers.beyond_answer(rows, tested)
    assert "(bootstrap of training seeds and scenes" in answers.beyond_answer(rows, tested.assign(seeds=2))
    assert "in 0 of 1 tasks and less in 0" in answers.beyond_answer(rows, tested.assign(p_holm=0.2))
    assert "in 0 of 1 tasks and less in 1" in answers.beyond_answer(rows, tested.assign(difference=-0.4))
    papers = rows.assign(rate=[0.4, 0.95])
    beside = answers.beside_the_papers(rows, papers)
    assert beside.startswith("No better and no worse than the paper's recipe: ")
    assert "lift more in 1 and less in 1 of 2 pairs of policy and task (means " in beside
    assert answers.beside_the_papers(rows.assign(rate=0.0), papers).startswith("Worse than the paper's recipe: ")
    assert answers.beside_the_papers(rows, papers.assign(task="another")) == ""
    assert answers.loop_answer(pd.DataFrame()).startswith("Not known yet")
    kinds = ["none", "none", "push (cm)", "push (cm)"]
    loops = pd.DataFrame({"disturbance": 2 * kinds, "loop": ["open", "closed"] * 4})
    loops["policy"] = ["base_quat_sync"] * 4 + ["dgrasp_quat_sync"] * 4
    said = answers.loop_answer(loops.assign(rate=[0.9, 0.8, 0.3, 0.6, 0.9, 0.8, 0.3, 0.8]))
    assert said.startswith("They can. Under disturbances closed loop lifts 0.70 and open loop 0.30")
    assert "By kind: push (cm) 0.70 and 0.30." in said and said.endswith("dGrasp lifts 0.80 and Base 0.60.")
    assert answers.loop_answer(loops.assign(rate=[0.9, 0.8, 0.7, 0.7] * 2)).startswith("Not better than")


def test_calibration():
    def rates(far, turned, policy="base_6d_sync"):
        rows = [(policy, TRANSLATION, 0.0, 0.5), (policy, TRANSLATION, 20.0, far)]
        rows += [(policy, ROTATION, 0.0, 0.5), (policy, ROTATION, 5.0, turned)]
        return pd.DataFrame(rows, columns=["policy", "kind", "error", "rate"])

    assert answers.calibration_answer(rates(0.3, 0.1)).startswith(
        "The angle hurts more: Base (6D, synchronous) lifts 0.30 at"
    )
    assert answers.calibration_answer(rates(0.1, 0.3)).startswith("The length hurts more")
    both = pd.concat([rates(0.3, 0.1), rates(0.1, 0.3, "dgrasp_6d_sync")])
    assert answers.calibration_answer(both).startswith("It depends on the policy")
