"""Minutes that README states beside each notebook: as measured where `make figures` executed them.

    python benchmarks/minutes.py [FOLDER]       FOLDER: of executed notebooks, default build/published/notebooks

Writes benchmarks/minutes.json and puts its numbers into README.md. Execute the notebooks before, on a machine that does
nothing else: `rm -r build/published`, so that all of them run, then `make figures`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from dgrasp.files import read_json, write_json, write_text

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "minutes.json"
README = ROOT / "README.md"
STATED = re.compile(r"(<code>(\w+)</code></a>.*?\()([\d.]+)( min\))", re.DOTALL)


def stated(page: str) -> dict[str, float]:
    """What a page says, by notebook."""
    return {name: float(minutes) for _, name, minutes, _ in STATED.findall(page)}


def with_minutes(page: str, minutes: dict[str, float]) -> str:
    """The page with other minutes; raises KeyError for a notebook that was not measured."""
    return STATED.sub(lambda found: f"{found[1]}{minutes[found[2]]}{found[4]}", page)


def measured(folder: Path) -> dict[str, float]:
    """What each executed notebook in a folder took. Raises FileNotFoundError where there are none."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no executed notebooks there; `make figures` makes them")
    seconds = {path.stem: read_json(path)["metadata"]["papermill"]["duration"] for path in paths}
    return {name: max(0.1, round(took / 60, 1)) for name, took in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "published" / "notebooks")
    minutes = measured(parser.parse_args().folder)
    page = with_minutes(README.read_text(encoding="utf-8"), minutes)
    write_json(KEPT, minutes)
    write_text(README, page)
    print(f"{KEPT}: {len(minutes)} notebooks, {sum(minutes.values()):.1f} minutes together")


if __name__ == "__main__":
    main()
