"""Collect the benchmarks: run every `bench_*.py` beside this file and write build/bench.json.

    python benchmarks/run.py [--only NAME] [--output FILE]

Each file defines `benchmarks()`, which returns {name: {"value", "unit", "repeats", "threads"}}. Each is run in a
process of its own, one after the other. One that fails does not stop the others, but is named at the end, and the
exit code is 1. With --only, the other entries of an earlier file are kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import multiprocessing
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
FIELDS = {"value": (int, float), "unit": (str,), "repeats": (int,), "threads": (int,)}
Results = dict[str, dict[str, Any]]


def available(folder: Path) -> dict[str, Path]:
    """The benchmark files by name: `bench_sim.py` is `sim`."""
    return {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}


def measure(path: Path) -> Results:
    """Run one file's `benchmarks()`, here; raises ValueError when an entry is not what it should be."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    results = module.benchmarks()
    for name, entry in results.items():
        check(name, entry)
    return results


def check(name: str, entry: dict[str, Any]) -> None:
    """Raise ValueError unless the entry has exactly the fields above and a finite value."""
    if entry.keys() != FIELDS.keys():
        raise ValueError(f"{name}: fields {', '.join(entry)}; expected {', '.join(FIELDS)}")
    for field, kinds in FIELDS.items():
        if not isinstance(entry[field], kinds) or isinstance(entry[field], bool):
            raise ValueError(f"{name}: {field} is {entry[field]!r}; expected {' or '.join(k.__name__ for k in kinds)}")
    if not math.isfinite(entry["value"]):
        raise ValueError(f"{name}: value is {entry['value']}")


def measure_apart(path: Path) -> Results:
    """`measure` in a fresh process, so that no file inherits another's threads, caches or crash."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, path).result()


def run(paths: dict[str, Path]) -> tuple[Results, list[str]]:
    """Results of the files that worked, and the names of those that did not."""
    results: Results = {}
    failed = []
    for name, path in paths.items():
        print(f"{name}: measuring", file=sys.stderr, flush=True)
        try:
            found = measure_apart(path)
            if twice := results.keys() & found.keys():
                raise ValueError(f"measured by another file too: {', '.join(sorted(twice))}")
        except (Exception, SystemExit):  # BrokenProcessPool, when a benchmark takes its process down, is one
            traceback.print_exc()
            failed.append(name)
            continue
        results |= found
        for key, entry in found.items():
            spread = f"({entry['repeats']} repeats, {entry['threads']} threads)"
            print(f"  {key}: {entry['value']:.4g} {entry['unit']} {spread}", flush=True)
    return results, failed


def write(output: Path, results: Results) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.tmp")
    temporary.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    os.replace(temporary, output)


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Run the benchmarks.")
    parser.add_argument("--only", metavar="NAME", help="run bench_NAME.py alone")
    parser.add_argument("--output", type=Path, default=FOLDER.parent / "build" / "bench.json")
    options = parser.parse_args(arguments)
    paths = available(folder)
    earlier: Results = {}
    if options.only:
        if options.only not in paths:
            parser.error(f"unknown benchmark {options.only!r}; benchmarks: {', '.join(paths)}")
        paths = {options.only: paths[options.only]}
        earlier = json.loads(options.output.read_text()) if options.output.is_file() else {}

    results, failed = run(paths)
    write(options.output, earlier | results)
    print(f"{len(results)} measurements in {options.output}")
    if failed:
        print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
