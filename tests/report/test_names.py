import numpy as np
import pandas as pd
import pytest

from dgrasp.policy.policies import CONTROLS, POLICIES, policy_spec
from dgrasp.report.names import model_label, object_label, policy_label, task_label
from dgrasp.report.notebook import readable
from dgrasp.report.play.supply import model_title, policy_title


def test_policies_models_tasks_and_objects_are_called_as_people_do():
    assert policy_label("dgrasp_6d_sync") == "dGrasp (6D, synchronous)"
    assert policy_label("control_quat_seq") == "Control (quaternion, sequential)"
    assert (model_label("base"), model_label("dgrasp_quat"), model_label("base_control")) == (
        "Base",
        "dGrasp (quaternion)",
        "Control",
    )
    assert (task_label("novel"), task_label("tower")) == ("novel objects", "tower")
    assert object_label("056_tennis_ball") == "tennis ball" and object_label("3-D printed block") == "3-D printed block"
    with pytest.raises(ValueError, match="dgrasp_quat_sync"):
        policy_label("dgrasp")


def test_pages_in_the_browser_use_the_same_names():
    for policy in (*POLICIES, *CONTROLS):
        model = policy_spec(policy).model
        assert policy_title(policy) == policy_label(policy) and model_title(model) == model_label(model)
    assert (policy_title("mine"), model_title("mine")) == ("mine", "mine")


def test_tables_of_pairs_are_readable():
    rows = {"first": "dgrasp_6d_sync", "second": "base_6d_sync", "task": ["novel", "clutter"], "p": [0.12345, np.nan]}
    shown = readable(pd.DataFrame(rows), digits=2)
    assert shown.index.tolist() == [
        ("dGrasp (6D, synchronous)", "Base (6D, synchronous)", "novel objects"),
        ("dGrasp (6D, synchronous)", "Base (6D, synchronous)", "clutter"),
    ]
    assert shown["p"].tolist() == [0.12, ""] and shown.columns.tolist() == ["p"]
    assert readable(pd.DataFrame(rows).drop(columns="task")).index.names == ["first", "second"]
