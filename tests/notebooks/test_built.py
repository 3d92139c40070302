"""The notebooks that `make reproduce` left behind were made from what the repository is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from dgrasp.cli.notebooks import stale_because

SOURCES = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_built_notebook_is_fresh(smoke_build, source):
    output = smoke_build / "notebooks" / f"{source.stem}.ipynb"
    assert output.is_file(), f"{output} is missing; run `make reproduce`"
    assert (reason := stale_because(output, source)) is None, f"{reason}; run `make reproduce`"
