"""What plays in the pages: the explorer and the failure browser, with their files beside the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.seeds import all_seeds
from dgrasp.report.failures import page as failures
from dgrasp.report.play import page as play
from dgrasp.report.play.supply import SCENES, Supply

LEFT_OUT = "<p><strong>Left out of this build.</strong> {}</p>\n"
NO_PLAY = "<code>dgrasp site</code> without <code>--without play</code> puts the explorer here."
NO_FAILURES = "<code>dgrasp site</code> without <code>--without failures</code> puts the browser here."


@dataclass(frozen=True)
class Apps:
    """HTML bodies of the two pages, and the files that they load, in a folder laid over the site."""

    play: str
    failures: str

    def write(self, folder: Path) -> None:
        """The bodies, for the pages to include."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "play.html").write_text(self.play, encoding="utf-8")
        (folder / "failures.html").write_text(self.failures, encoding="utf-8")


def make_apps(
    experiment: Experiment,
    files: Path,
    *,
    without: Sequence[str] = (),
    pictures: failures.Pictures = "few",
    scenes: Sequence[tuple[str, int]] = SCENES,
) -> Apps:
    """Both apps of an experiment, their files below `files`; the failures are of all of its published seeds.

    without: "play" or "failures" are left out, and the page says so. pictures: of trials, as in
    `dgrasp.report.failures.page.write_files`. scenes: those to play with, by task and index.
    """
    body = LEFT_OUT.format(NO_PLAY)
    if "play" not in without:
        supply = Supply.of(experiment, scenes)
        play.write_files(supply, files)
        body = play.play_body(supply.catalogue, play.first_bytes(supply))
    browser = LEFT_OUT.format(NO_FAILURES)
    if "failures" not in without:
        address = "play.html" if "play" not in without else None
        played = scenes if address else ()
        attempts = failures.write_files(all_seeds(experiment), files, played=played, pictures=pictures)
        browser = failures.failures_body(attempts, address)
    return Apps(body, browser)
