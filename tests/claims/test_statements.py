"""The pages' statements in numbers, each against what is published; each seen to fail; and none left out."""

from __future__ import annotations

import re

import caption_claims  # noqa: F401  (registers its claims)
import pytest
import readme_claims  # noqa: F401
import reproducing_claims  # noqa: F401
from no_results import MARKUP, NO_RESULTS
from records import Altered, Records
from statements import CLAIMS, changed, numbers, text_of, unclaimed

from dgrasp.experiment.chain import Experiment
from dgrasp.report.registry import OUTPUTS

PAGES = ("README.md", "docs/index.md", "REPRODUCING.md", *(f"figures/{entry.id}.caption.json" for entry in OUTPUTS))
RESULTS = {"trials", "studies", "twin", "sweep", "seeds", "table", "figure", "counted", "rates", "pairs", "panda"}


class Watched(Records):
    """Notes whether results were read, or settings alone."""

    results = False

    def __getattribute__(self, name: str) -> object:
        if name in RESULTS:
            self.results = True
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def records(experiment):
    return Watched(experiment)


@pytest.fixture(scope="module")
def altered(experiment):
    return Altered(experiment)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}-{claim.name}")
def test_the_page_says_what_is_published(claim, records):
    place = claim.place(text_of(claim.page))
    assert place, f"{claim.page}: not one place matches {claim.pattern}"
    assert list(place.groups()) == list(claim.count(records))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}-{claim.name}")
def test_another_number_on_the_page_is_noticed(claim, records):
    """Every number that the claim is about, one by one."""
    text, counted = text_of(claim.page), claim.count(records)
    place = claim.place(text)
    spans = list(numbers(text, [place.span(k + 1) for k in range(len(counted))]))
    assert [text[slice(*span)] for span in spans if claim.holds(changed(text, span), counted)] == []


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}-{claim.name}")
def test_other_results_are_noticed(claim, records, altered):
    """A page that stays as it is while results change has no claim that holds, but those about settings."""
    records.results = False
    counted = claim.count(records)
    if records.results:
        assert list(claim.count(altered)) != list(counted)


@pytest.mark.parametrize("page", PAGES)
def test_no_number_is_left_out(page):
    text, others = text_of(page), NO_RESULTS.get(page, {})
    assert unclaimed(page, text, [*MARKUP, *others]) == []
    assert [pattern for pattern in others if not re.search(pattern, text)] == [], "patterns that match nothing"
    assert {claim.page for claim in CLAIMS} <= set(PAGES)
