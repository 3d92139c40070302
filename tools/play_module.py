#!/usr/bin/env python3
"""Build the pages' modules: `make play-module`, which needs the extra `play`.

C becomes WebAssembly by clang, which the pinned wheel `ziglang` brings. JavaScript stays as it is written: its files
are joined in order, without their imports and exports, so that the built module can be read, too.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PLAY = Path(__file__).resolve().parents[1] / "dgrasp" / "report" / "play"
SOURCE, STATIC = PLAY / "source", PLAY / "static"
COMPILER = "0.17.1"  # of ziglang: another clang may write other bytes
FLAGS = (
    "-target", "wasm32-freestanding", "-O3", "-msimd128", "-mbulk-memory", "-ffreestanding", "-nostdlib",
    "-fno-sanitize=all", "-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-Wl,--strip-all",
)  # fmt: skip
KERNEL = ("container", "kernel", "worker")  # what a worker runs
PLANE = ("poses", "plane_network", "plane_worker")
PAGE = (
    "container", "poses", "climb", "pool", "draw", "controls", "camera", "cut", "space", "scene", "landscape",
    "explorer", "panel", "plane", "main",
)  # fmt: skip
FAILURES = ("container", "poses", "draw", "controls", "failures_table", "failures_pictures", "failures")
IMPORT = re.compile(r'^import [^;]*? from "\./[a-z_]+\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(async )?(function|class|const))", re.MULTILINE)
DEFINED = re.compile(r"^(?:async )?(?:function\*? |class )(\w+)|^(?:const|let) (.*)$", re.MULTILINE)


def sources() -> list[Path]:
    """Everything that the modules are made of."""
    return sorted(path for path in SOURCE.iterdir() if path.suffix in (".c", ".js", ".css"))


def digest() -> str:
    """SHA-256 of the sources, their names, and of how they are built."""
    total = hashlib.sha256(json.dumps([COMPILER, FLAGS, KERNEL, PLANE, PAGE, FAILURES]).encode())
    for path in sources():
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def compiled() -> bytes:
    """landscape.c as WebAssembly. Raises RuntimeError without the pinned compiler."""
    version = subprocess.run([sys.executable, "-m", "ziglang", "version"], capture_output=True, text=True)
    if version.stdout.strip() != COMPILER:
        got = version.stdout.strip() or "none"
        raise RuntimeError(f"ziglang: expected {COMPILER}, got {got}; pip install ziglang=={COMPILER}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "landscape.wasm"
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", str(target), "landscape.c"]
        subprocess.run(command, cwd=SOURCE, check=True)
        return target.read_bytes()


def joined(names: tuple[str, ...]) -> str:
    """Some source files as one. Raises RuntimeError where two define the same name."""
    parts, seen = [], dict[str, str]()
    for name in names:
        text = EXPORT.sub("", IMPORT.sub("", (SOURCE / f"{name}.js").read_text(encoding="utf-8")))
        for defined in names_in(text):
            if defined in seen:
                raise RuntimeError(f"{name}.js: {defined!r} is defined in {seen[defined]}.js, too; rename one")
            seen[defined] = name
        parts.append(f"// --- {name}.js\n{text.strip()}\n")
    return "\n".join(parts)


def names_in(text: str) -> list[str]:
    """What a file defines at its top level: functions, classes, and all constants of a line."""
    found = []
    for match in DEFINED.finditer(text):
        found += [match[1]] if match[1] else re.findall(r"(?:^|, )(\w+) = ", match[2])
    return found


def modules() -> dict[str, str]:
    """The texts of static/play.js and static/failures.js."""
    constants = {
        "WASM": base64.b64encode(compiled()).decode(),
        "WORKER_SOURCE": joined(KERNEL),
        "PLANE_WORKER_SOURCE": joined(PLANE),
    }
    head = f"// Built by tools/play_module.py from ../source; do not edit. Sources: {digest()}\n"
    stated = "".join(f"const {k} = {json.dumps(v)};\n" for k, v in constants.items())
    return {"play.js": f"{head}{stated}\n{joined(PAGE)}", "failures.js": f"{head}\n{joined(FAILURES)}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is there instead of writing it")
    check = parser.parse_args().check
    made = {**modules(), "play.css": (SOURCE / "play.css").read_text(encoding="utf-8")}
    for name, text in made.items():
        path = STATIC / name
        if not check:
            STATIC.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path}: is not what its sources make; run `make play-module`")


if __name__ == "__main__":
    main()
