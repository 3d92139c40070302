"""The repository's notebooks in their order, those that are stale run again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dgrasp
from dgrasp.cli.notebooks.source import NotebookRefused, sources_in
from dgrasp.cli.notebooks.stale import inputs_of, stale_because
from dgrasp.report.registry import OUTPUTS

SOURCES = Path(dgrasp.__file__).resolve().parents[1] / "notebooks"


@dataclass(frozen=True)
class Chain:
    """The notebooks of `sources`, executed for one profile and seed in one build folder."""

    profile: str
    build: Path
    seed: int = 0
    sources: Path = SOURCES

    def chosen(self, names: Sequence[str] = ()) -> list[Path]:
        """Sources in their order, all or those whose stems begin with one of `names`; raises NotebookRefused."""
        found = sources_in(self.sources)
        stems = [source.stem for source in found]
        if missing := sorted({o.notebook for o in OUTPUTS} - set(stems)):
            raise NotebookRefused(
                f"{self.sources}: no {missing[0]}.py there; the notebooks come with a clone of the repository"
            )
        if unknown := [name for name in names if not any(stem.startswith(name) for stem in stems)]:
            raise NotebookRefused(f"no notebook begins with {unknown[0]!r}; notebooks: {', '.join(stems)}")
        return [source for source in found if source.stem.startswith(tuple(names) or "")]

    def stale(self, source: Path) -> str | None:
        """Why a notebook must be run; None if what is there is what it would give."""
        output = self.output(source)
        return stale_because(output, self.build / "figures", inputs_of(source, output, self._parameters))

    def run(self, source: Path) -> None:
        """Run a notebook; raises NotebookError."""
        from dgrasp.cli.notebooks.runner import run_notebook  # seconds to load, for nothing where all is up to date

        output, parameters = self.output(source), {"seed": self.seed}
        run_notebook(source, output, profile=self.profile, build=self.build, parameters=parameters)

    def output(self, source: Path) -> Path:
        """Where the executed notebook goes."""
        return self.build / "notebooks" / f"{source.stem}.ipynb"

    @property
    def _parameters(self) -> dict[str, object]:
        return {"profile": self.profile, "seed": self.seed}


def bring_up_to_date(chain: Chain, names: Sequence[str] = (), force: bool = False, dry_run: bool = False) -> int:
    """Run what is stale, in order, and say so on stderr; returns how many are (`dry_run`: would be) run.

    Raises NotebookError at the first that fails; what was done before is kept.
    """
    count = 0
    for source in chain.chosen(names):
        reason = "asked for" if force else chain.stale(source)
        if reason is None:
            _say(f"{source.stem}: up to date")
            continue
        count += 1
        _say(f"{source.stem}: {'to be run' if dry_run else 'running'} (profile {chain.profile}; {reason})")
        if not dry_run:
            started = time.monotonic()
            chain.run(source)
            _say(f"{source.stem}: done in {time.monotonic() - started:.0f} s")
    return count


def _say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # where `dgrasp.cli.watch` has left its line
    print(f"{clear}{text}", file=sys.stderr, flush=True)
