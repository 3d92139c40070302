"""The notebooks that `make reproduce` left behind were made from what the repository is now."""

from __future__ import annotations

import pytest

from dgrasp.cli.notebooks.chain import SOURCES, Chain
from dgrasp.cli.notebooks.source import sources_in


@pytest.mark.parametrize("source", sources_in(SOURCES), ids=lambda path: path.stem)
def test_built_notebook_is_fresh(smoke_build, source):
    assert (reason := Chain("smoke", smoke_build).stale(source)) is None, f"{reason}; run `make reproduce`"
