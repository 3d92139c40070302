"""The notebooks' answers say what the data say, and may come out either way."""

import pandas as pd

from dgrasp.report import answers
from dgrasp.twin.sweep import ROTATION, TRANSLATION


def test_the_idea():
    much = answers.idea_answer({"main loss only": 0.01, "both": 0.91})
    assert much == "Much: 91% of the walkers arrive after both, 1% after main loss only."
    assert answers.idea_answer({"one": 0.5, "both": 0.52}).startswith("Nothing to speak of")


def test_data():
    assert "12 grasps" in (said := answers.data_answer(12, 3, 0.01, 0.304)) and "from 1 to 30 cm" in said


def test_the_probe():
    assert answers.probe_answer({"scene activations": 0.95, "position alone": 0.8}).startswith("Yes: ")
    assert answers.probe_answer({"scene activations": 0.81, "position alone": 0.8}).startswith("No: ")


def test_slopes():
    medians = pd.DataFrame({"translation": [0.1, 0.8], "rotation": [0.0, 0.5]}, index=["base", "dgrasp_6d"])
    said = answers.slope_answer(medians)
    assert (
        said.startswith("The taught slopes follow the demonstrator more closely")
        and "dGrasp (6D) 0.80 and 0.50" in said
    )
    assert "no more closely" in answers.slope_answer(medians.assign(translation=[0.8, 0.1]))


def test_arrivals():
    table = pd.DataFrame({"policy": ["base_6d_sync", "dgrasp_6d_sync"], "near_grasp": [0.01, 0.04]})
    assert "Teaching slopes makes more of them arrive" in answers.arrival_answer(table)
    assert "does not make more" in answers.arrival_answer(table.assign(near_grasp=[0.04, 0.01]))
    assert answers.arrival_answer(table.assign(near_grasp=float("nan"))).startswith("Not known")


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
