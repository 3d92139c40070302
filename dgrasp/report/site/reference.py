"""Tables for the API page: settings of the climb, and the policies."""

from __future__ import annotations

import pandas as pd

from dgrasp.config import Config
from dgrasp.policy.policies import POLICIES
from dgrasp.report.play.supply import model_title, policy_title
from dgrasp.report.site.markdown import table

ORDER = {"sync": "both at once", "seq": "translation, then rotation"}


def settings_table(config: type[Config]) -> str:
    """Name, default and meaning of each setting."""
    rows = [
        {"setting": f"`{name}`", "default": f"`{field.default}`", "meaning": field.description or ""}
        for name, field in config.model_fields.items()
    ]
    return table(pd.DataFrame(rows))


def policies_table() -> str:
    """The policies: name, model, coordinates, and what moves when."""
    rows = [
        {
            "name": f"`{name}`",
            "policy": policy_title(name),
            "model": model_title(spec.model),
            "coordinates": f"`{spec.representation}`",
            "moves": ORDER[spec.schedule],
        }
        for name, spec in POLICIES.items()
    ]
    return table(pd.DataFrame(rows))
