"""`play.html`: the explorer as a static page, which also works when it is opened from disk.

Browsers load no modules and fetch no files from disk. So the module stands in the page itself, and each model and
scene is a script that hands over its bytes as base85 text.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from dgrasp.files import atomic_path, write_text
from dgrasp.report.play.still import still_picture
from dgrasp.report.play.supply import Supply
from dgrasp.report.play.widget import STATIC

FOLDER = "play-files"
STILL = f"{FOLDER}/still.png"
TITLE = "Play: the landscape, live in the page"
LEAD = (
    "dGrasp scores gripper poses from camera images and finds a grasp by climbing that score. Base is trained with "
    "grasps alone; dGrasp also with the directions of demonstrated approaches. Both policies run in this page, on your "
    "computer: move the gripper, see its value, and let it climb."
)
LOAD = """
const waiting = {};
window.dgraspFile = (key, text) => waiting[key]?.resolve(text);
const load = askingOnce((kind, id) => {
  const key = `${kind}-${id}`;
  return new Promise((resolve, reject) => {
    waiting[key] = { resolve };
    const script = document.createElement("script");
    script.src = `FOLDER/${key}.js`;
    script.onload = () => reject(new FileProblem(`the file ${key}.js is damaged`)); // it handed over nothing
    script.onerror = () => reject(new FileProblem(`the file ${script.src.split("/").pop()} did not arrive`));
    document.head.append(script);
  }).then(decoded85).catch((error) => {
    throw error instanceof FileProblem ? error : new FileProblem(`the file of ${kind} ${id} is damaged`);
  });
});
"""
LOADER = """
const root = document.getElementById("play");
const catalogue = JSON.parse(document.getElementById("play-catalogue").textContent);
const asked = new URLSearchParams(location.hash.slice(1)).get("scene"); // play.html#scene=simple-0
const chosen = catalogue.scenes.some(({ id }) => id === asked);
if (chosen) catalogue.first.scene = asked;
const start = () => (root.dgrasp = mount(root, { catalogue, load, still: STILL }));
const wait = root.querySelector("button");
if (wait && !chosen) wait.addEventListener("click", start);
else start();
"""
WAIT = '<p><button type="button">Load and play ({:.0f} MB)</button></p>'


def build_play(supply: Supply, folder: Path) -> Path:
    """Write `play.html` and its files below `folder`; returns the page. It also works when it is opened from disk."""
    write_files(supply, folder)
    page = folder / "play.html"
    write_text(page, play_page(supply.catalogue))
    return page


def write_files(supply: Supply, folder: Path) -> None:
    """What the page loads, below `folder`: models, scenes, and the still picture."""
    catalogue = supply.catalogue
    for kind, entries in (("model", catalogue["models"]), ("scene", catalogue["scenes"])):
        for entry in entries:
            write_file(folder / FOLDER, f"{kind}-{entry['id']}", supply.file(kind, entry["id"]))
    with atomic_path(folder / STILL) as path:
        path.write_bytes(still_picture(supply))


def write_file(folder: Path, key: str, data: bytes) -> int:
    """A script that hands over a file's bytes; returns its size in bytes."""
    text = f"dgraspFile({json.dumps(key)}, {json.dumps(base64.b85encode(data).decode())});\n"
    write_text(folder / f"{key}.js", text)
    return len(text)


def play_page(catalogue: dict) -> str:
    """The page as one HTML text; other pages may take `play_body` alone."""
    return whole_page(TITLE, LEAD, play_body(catalogue))


def whole_page(title: str, lead: str, body: str) -> str:
    """A page that stands alone: one <main>, which begins with its title."""
    style = "body { margin: 0 auto; max-width: 80rem; padding: 0 0.8rem; font: 16px/1.5 system-ui, sans-serif; }"
    dark = "@media (prefers-color-scheme: dark) { body { background: #14171a; color: #e8eaed; } }"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>{style}\n{dark}</style>\n</head>\n<body>\n'
        f"<main>\n<h1>{title}</h1>\n<p>{lead}</p>\n{body}</main>\n</body>\n</html>\n"
    )


def first_bytes(supply: Supply) -> int:
    """What is loaded before the first scene can be played, bytes."""
    first = supply.catalogue["first"]
    files = [("scene", first["scene"]), *(("model", model) for model in first["models"] if model)]
    return sum(len(base64.b85encode(supply.file(*file))) for file in files)


def play_body(catalogue: dict, wait_for: int | None = None) -> str:
    """What a page of the site needs to contain: style, place, catalogue, and the module with its loader.

    wait_for: bytes that the first scene takes, of which a button tells; nothing is loaded before it is pressed, unless
    the address names a scene. None: the first scene is loaded at once.
    """
    start = LOADER.replace("STILL", json.dumps(STILL))
    picture = f'<img src="{STILL}" alt="A scene and cuts through two landscapes, as a still picture">'
    facts = json.dumps(catalogue).replace("<", "\\u003c")
    wait = "" if wait_for is None else WAIT.format(wait_for / 1e6)
    return (
        f"{style()}"
        f'<div id="play" class="dgp">{wait}{picture}<noscript>This needs JavaScript.</noscript></div>\n'
        f'<script type="application/json" id="play-catalogue">{facts}</script>\n'
        f"{script('play.js', FOLDER, start)}"
    )


def style() -> str:
    """The style sheet that the pages share, for a page's body."""
    return f"<style>{(STATIC / 'play.css').read_text(encoding='utf-8')}</style>\n"


def script(name: str, folder: str, start: str) -> str:
    """A built module with the loader of files in `folder`, and what starts it."""
    module = (STATIC / name).read_text(encoding="utf-8")
    return f'<script type="module">\n{module}\n{LOAD.replace("FOLDER", folder)}{start}</script>\n'
