"""Statements in numbers on the pages, and how to find those that nothing proves.

A claim is a place on a page (a pattern; what its groups hold is compared) and a function that counts the same anew from
what is published. No number stands in a claim: it is read from the page, and worked out from the records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from records import ROOT, Records

WORDS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DIGITS = r"\d+x\d+|\d+(?:[.,]\d+)*(?:e-?\d+)?"
NUMBER = re.compile(rf"(?<![\w.])(?<!\w-)(?:{DIGITS})(?![A-Za-z_]|-[A-Za-z])|\b(?:{'|'.join(WORDS)})\b", re.ASCII)
Span = tuple[int, int]


@dataclass(frozen=True)
class Claim:
    """name: of the function that counts. page: below the repository's root; a caption's is its `.caption.json`."""

    name: str
    page: str
    pattern: str
    count: Callable[[Records], Sequence[str]]

    def place(self, text: str) -> re.Match[str] | None:
        """The one place that matches; None where none does, or several do."""
        found = list(re.finditer(self.pattern, text))
        return found[0] if len(found) == 1 else None

    def holds(self, text: str, counted: Sequence[str]) -> bool:
        """Whether the page says what was counted."""
        found = self.place(text)
        return found is not None and tuple(found.groups()) == tuple(counted)


CLAIMS: list[Claim] = []


def claim(page: str, pattern: str) -> Callable[[Callable[[Records], Sequence[str]]], Callable]:
    """Registers the function below as what proves the place on the page."""

    def register(count: Callable[[Records], Sequence[str]]) -> Callable:
        CLAIMS.append(Claim(count.__name__, page, pattern, count))
        return count

    return register


def text_of(page: str) -> str:
    """What people read, with single spaces for line breaks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return " ".join((json.loads(text)["caption"] if page.endswith(".json") else text).split())


def word(n: int) -> str:
    """As prose writes it: words from three to twelve."""
    return WORDS[n - 3] if 3 <= n <= 12 else str(n)


def numbers(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Where numbers stand within the spans."""
    for found in NUMBER.finditer(text):
        if any(low <= found.start() and found.end() <= high for low, high in spans):
            yield found.span()


def claimed(page: str, text: str) -> list[Span]:
    """What the claims on a page compare."""
    places = [claim.place(text) for claim in CLAIMS if claim.page == page]
    return [place.span(k + 1) for place in places if place for k in range(len(place.groups()))]


def unclaimed(page: str, text: str, others: Sequence[str]) -> list[str]:
    """Numbers with their surroundings that are in no claim, and in nothing that the patterns `others` match."""
    spans = claimed(page, text) + [found.span() for pattern in others for found in re.finditer(pattern, text)]
    known = set(numbers(text, spans))
    every = numbers(text, [(0, len(text))])
    return [text[max(0, low - 50) : high + 30] for low, high in every if (low, high) not in known]


def changed(text: str, span: Span) -> str:
    """The text with another number in that place."""
    number = text[slice(*span)]
    if number in WORDS:
        other = WORDS[(WORDS.index(number) + 1) % len(WORDS)]
    else:
        other = number[:-1] + str((int(number[-1]) + 1) % 10)
    return text[: span[0]] + other + text[span[1] :]
