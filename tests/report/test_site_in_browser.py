"""The built site in Chromium, from disk and with the network cut: every page loads whole, is light, and can be used.

The site is that of the smoke build. `DGRASP_SITE=build/site` tests one that is there already.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
pytest.importorskip("sphinx", reason="needs Sphinx: the extra `site`")
from lab import chromium, programs
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
]
AXE = Path(__file__).parent / "axe" / "axe.min.js"
DESKTOP, PHONE = (1280, 900), (390, 844)
LIGHT_PAGE = 3e6  # bytes, before anything is played
FOUND = """
const done = arguments[arguments.length - 1], rules = arguments[0];
axe.run(document, rules).then(({ violations }) => done(violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")}`)));
"""
ALL: dict[str, Any] = {}
CONTRAST = {"runOnly": ["color-contrast"]}
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = "return [...document.images].filter((i) => !i.alt.trim() || i.alt.endsWith('.png')).map((i) => i.src)"
RAW_TABLES = (
    "return [...document.querySelectorAll('.output p')].filter((p) => /\\|\\s*(---|—)/.test(p.textContent)).length"
)
LOADING = "return [...document.images].filter((i) => !i.complete).map((i) => i.src)"
BROKEN = "return [...document.images].filter((i) => i.naturalWidth === 0).map((i) => i.src)"
FORMULAS = "return [...document.querySelectorAll('.formula')].filter((f) => !f.querySelector('.katex')).length"


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site."""
    if (built := os.environ.get("DGRASP_SITE")) is not None:
        return Path(built).resolve()
    build = request.getfixturevalue("smoke_build")
    from dgrasp.experiment.chain import Experiment
    from dgrasp.report.site.apps import make_apps
    from dgrasp.report.site.build import Sources, build_site

    experiment, folder = Experiment.open("smoke", build), tmp_path_factory.mktemp("smoke-site")
    apps = make_apps(experiment, folder / "files", scenes=(("simple", 0),))
    made = build_site(
        Sources(experiment, build / "figures", build / "notebooks"), apps, folder / "site", folder / "files"
    )
    assert [warning for warning in made.warnings if "/learn/" not in warning] == [] and made.lacking == {}
    return made.folder


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    programs()
    with chromium(tmp_path_factory.mktemp("profile"), logs=("browser", "performance"), offline=True) as browser:
        browser.set_script_timeout(300)
        yield browser


def resize(chrome: webdriver.Chrome, size: tuple[int, int]) -> None:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def dark(chrome: webdriver.Chrome, on: bool) -> None:
    feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def pages(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def opened(chrome: webdriver.Chrome, page: Path) -> list[str]:
    """Load a page and scroll through it; returns what went wrong, with what it asked for from elsewhere."""
    chrome.get_log("browser"), chrome.get_log("performance")  # of the page before
    chrome.get(page.as_uri())
    for image in chrome.find_elements(By.CSS_SELECTOR, "img[loading=lazy]"):
        chrome.execute_script("arguments[0].loading = 'eager'", image)
    # `decode` waits for a frame, which a browser without a screen may never draw; `complete` waits for bytes alone
    WebDriverWait(chrome, 120).until(lambda c: not c.execute_script(LOADING))
    wrong = [entry["message"] for entry in chrome.get_log("browser") if entry["level"] != "INFO"]
    wrong += [f"no picture in {address}" for address in chrome.execute_script(BROKEN)]
    for entry in chrome.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.loadingFailed":
            wrong.append(f"failed: {event['params']['errorText']}")
        if event["method"] == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:")):
                wrong.append(f"asked for {address}")
    return wrong


def size_of(chrome: webdriver.Chrome) -> int:
    """Bytes of the files that the page has loaded."""
    names = chrome.execute_script("return performance.getEntriesByType('resource').map(({ name }) => name)")
    files = {Path(chrome.current_url.removeprefix("file://").partition("#")[0])}
    files |= {Path(name.removeprefix("file://").partition("?")[0]) for name in names if name.startswith("file:")}
    return sum(path.stat().st_size for path in files)


def test_every_page_is_whole_light_and_accessible(chrome, site):
    """One visit each: requests, console, size, formulas, alternative texts, axe-core; then dark, and a phone."""
    found: dict[str, list[str]] = {}
    resize(chrome, DESKTOP)
    for name in pages(site):
        dark(chrome, False)
        wrong = opened(chrome, site / name)
        if (size := size_of(chrome)) > LIGHT_PAGE:
            wrong.append(f"{size / 1e6:.1f} MB")
        wrong += [f"no alternative text: {address}" for address in chrome.execute_script(UNNAMED)]
        if left := chrome.execute_script(FORMULAS):
            wrong.append(f"{left} formulas were not drawn")
        if left := chrome.execute_script(RAW_TABLES):
            wrong.append(f"{left} tables of notebooks are shown as text")
        chrome.execute_script(AXE.read_text(encoding="utf-8"))
        wrong += chrome.execute_async_script(FOUND, ALL)
        dark(chrome, True)
        wrong += [f"in the dark, {text}" for text in chrome.execute_async_script(FOUND, CONTRAST)]
        for screen in (PHONE, DESKTOP):
            resize(chrome, screen)
            if (wider := chrome.execute_script(OVERFLOW)) > 0:
                wrong.append(f"{wider} pixels wider than a screen of {screen[0]}")
        if wrong:
            found[name] = wrong
    assert not found, "\n".join(f"{name}: {text}" for name, texts in found.items() for text in texts)


def test_the_pages_are_those_of_the_plan(site):
    wanted = {"index", "play", "learn", "derivation", "results", "gallery", "failures", "differences", "lab_guide"}
    wanted |= {"own_images", "own_demonstrations", "own_cell"}
    assert {f"{name}.html" for name in wanted | {"api", "log", "reproducing", "search"}} <= set(pages(site))
    assert len([name for name in pages(site) if name.startswith("learn/")]) >= 8
    assert not list(site.rglob("*.map")), "maps of the theme's sources are nothing for readers"


def test_search_finds_a_page_from_disk(chrome, site):
    dark(chrome, False)
    assert opened(chrome, site / "search.html") == []
    field = chrome.find_element(By.CSS_SELECTOR, ".sidebar-search, input[name=q]")
    field.send_keys("quaternion", Keys.ENTER)
    found = (By.CSS_SELECTOR, "#search-results li a[href*=derivation]")
    assert WebDriverWait(chrome, 60).until(lambda c: c.find_elements(*found))
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_reader_without_a_mouse_opens_the_code_of_a_step(chrome, site):
    opened(chrome, site / "learn/00_start_here.html")
    summary = chrome.find_element(By.CSS_SELECTOR, "details summary")
    before = chrome.execute_script("return arguments[0].parentElement.open", summary)
    summary.send_keys(Keys.ENTER)
    assert chrome.execute_script("return arguments[0].parentElement.open", summary) is not before


def test_nothing_is_played_before_the_button_is_pressed(chrome, site):
    opened(chrome, site / "play.html")
    button = chrome.find_elements(By.CSS_SELECTOR, "#play button")
    if not button:
        assert "Left out of this build" in chrome.page_source
        return
    assert "Load and play" in button[0].text
    assert not chrome.execute_script("return [...document.scripts].some((s) => s.src.includes('play-files'))")
    button[0].click()
    ready = "document.getElementById('play').dgrasp.then(() => arguments[0]())"
    chrome.execute_async_script(ready)
    assert chrome.find_element(By.CSS_SELECTOR, ".dgp-status").text.startswith("Drag the gripper")
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    chrome.execute_script(AXE.read_text(encoding="utf-8"))
    assert chrome.execute_async_script(FOUND, ALL) == []


SEEN = """
const done = arguments[0];
document.getElementById("failures").dgrasp.then((app) => app.busy).then(() => {
  const colours = (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  };
  done([...document.querySelectorAll(".dgp-pictures canvas")].map(colours));
});
"""


def test_failures_are_shown_with_pictures_that_nobody_asked_for(chrome, site):
    opened(chrome, site / "failures.html")
    if "Left out of this build" in chrome.page_source:
        return
    colours = chrome.execute_async_script(SEEN)
    assert len(colours) >= 2 and min(colours) > 100, "what the policy saw, at least, and no blank canvas"
    assert re.search(r"[1-9]\d* with pictures", chrome.find_element(By.CSS_SELECTOR, ".dgp-status").text)
    assert size_of(chrome) < LIGHT_PAGE


def test_a_browser_without_webassembly_is_told_and_shown_the_picture(chrome, site):
    remove = {"source": "delete globalThis.WebAssembly"}
    script = chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", remove)
    try:
        opened(chrome, site / "play.html")
        for button in chrome.find_elements(By.CSS_SELECTOR, "#play button"):
            button.click()
            WebDriverWait(chrome, 60).until(lambda c: "has no WebAssembly" in c.page_source)
            assert int(chrome.find_element(By.CSS_SELECTOR, "#play img").get_property("naturalWidth")) > 500
    finally:
        chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script["identifier"]})
