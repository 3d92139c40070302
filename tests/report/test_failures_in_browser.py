"""The failure browser in Chromium, opened from disk: filters, pictures, and what it says of missing files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
from lab import chromium, programs
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from small_failures import experiment, noise, table

from dgrasp.report.failures import page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # 8 s alone, minutes on a busy machine
DRAWN = """
const done = arguments[0];
document.getElementById("failures").dgrasp.then(async (app) => { if (app) await app.busy; done(Boolean(app)); });
"""
INK = """
const canvas = document.querySelectorAll(".dgp-pictures canvas")[arguments[0]];
const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let count = 0;
for (let i = 0; i < data.length; i += 4) count += data[i] === 163 && data[i + 1] === 59 && data[i + 2] === 0;
return count;
"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    programs()
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "attempts_of", lambda one: table())
    monkeypatch.setattr(page, "kept_sheet", noise)
    return page.build_failures(experiment(tmp_path), tmp_path, played=[("unseen", 1)])


def opened(chrome: webdriver.Chrome, address: Path, filters: str = "") -> bool:
    chrome.get("about:blank")
    chrome.get(address.as_uri() + filters)
    return bool(chrome.execute_async_script(DRAWN))


def text(chrome: webdriver.Chrome, selector: str) -> str:
    return chrome.find_element(By.CSS_SELECTOR, selector).text


def control(chrome: webdriver.Chrome, label: str) -> Select:
    path = f"//div[label[text()='{label}']]/select"
    return Select(chrome.find_element(By.XPATH, path))


def test_a_visitor_filters_and_looks(chrome, address):
    assert opened(chrome, address)
    assert text(chrome, ".dgp-status").startswith("12 of 18 attempts: 12 failed, 0 succeeded; 12 with pictures.")
    assert (
        "no grasp was chosen" in text(chrome, ".dgp-attempt") and len(chrome.find_elements(By.TAG_NAME, "canvas")) == 4
    )
    assert chrome.execute_script(INK, 0) == 0

    assert "[pictures]" in text(chrome, ".dgp-list option")
    assert not chrome.find_elements(By.XPATH, "//label[text()='Pictures']"), "all have some: nothing to choose"

    control(chrome, "Task").select_by_value("unseen")
    chrome.execute_async_script(DRAWN)
    assert text(chrome, ".dgp-status").startswith("4 of 18")
    assert [o.text for o in control(chrome, "Policy").options] == [
        "all (4)", "Base (quaternion, synchronous) (3)", "dGrasp (quaternion, synchronous) (1)",
    ]  # fmt: skip
    assert chrome.execute_script(INK, 0) > 50, "the chosen grasp is not drawn"
    assert "<b>closed on nothing</b>" in text(chrome, "dl"), "a reason is text, whatever it says"

    chrome.find_element(By.CSS_SELECTOR, ".dgp-attempt").send_keys(Keys.ARROW_RIGHT)
    assert "scene 2" in text(chrome, "dl")
    link = chrome.find_element(By.CSS_SELECTOR, ".dgp-attempt a").get_attribute("href")
    assert link is not None and link.endswith("play.html#scene=unseen-1")
    chrome.find_element(By.CSS_SELECTOR, ".dgp-attempt li button").click()  # dGrasp's success in the same scene
    assert text(chrome, ".dgp-attempt h2") == "dGrasp (quaternion, synchronous): success"
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_filters_of_the_address_and_a_table_without_failures(chrome, address, tmp_path, monkeypatch):
    assert opened(chrome, address, "#task=twin&outcome=&policy=nobody")
    assert text(chrome, ".dgp-status").startswith("6 of 18") and "other colours" in text(chrome, ".dgp-pictures")
    monkeypatch.setattr(page, "attempts_of", lambda one: table(failing=False))
    assert opened(chrome, page.build_failures(experiment(tmp_path / "all"), tmp_path / "all", play=None))
    assert "No attempt failed" in text(chrome, ".dgp-attempt")


def test_attempts_without_pictures_are_told_apart(chrome, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "attempts_of", lambda one: table())
    monkeypatch.setattr(page, "pictured", lambda attempts: ~attempts["success"])
    monkeypatch.setattr(page, "kept_sheet", noise)
    assert opened(chrome, page.build_failures(experiment(tmp_path), tmp_path), "#outcome=&pictures=without")
    assert text(chrome, ".dgp-status").startswith("6 of 18 attempts: 0 failed, 6 succeeded; 0 with pictures.")
    assert [o.text for o in control(chrome, "Pictures").options][1:] == ["with pictures (12)", "without (6)"]
    assert "[pictures]" not in text(chrome, ".dgp-list")


def test_a_browser_that_cannot_unpack_shows_the_counts(chrome, address):
    text_of_page, module = address.read_text(), '<script type="module">'
    address.write_text(text_of_page.replace(module, f"<script>delete globalThis.DecompressionStream</script>{module}"))
    assert not opened(chrome, address)
    assert "this browser has no DecompressionStream" in text(chrome, ".dgp-wrong")
    assert "everyday objects in the twin" in text(chrome, "#failures table")


def test_what_is_missing_or_damaged_is_said(chrome, address):
    files = address.parent / "failures-files"
    sheet = files / "sheet-0000.js"
    whole = sheet.read_text()
    for damaged, said in ((whole[:3000], "sheet-0000.js is damaged"), (whole[:3000] + '");', "damaged or incomplete")):
        sheet.write_text(damaged)
        assert opened(chrome, address)
        assert said in text(chrome, ".dgp-pictures .dgp-wrong")
    sheet.unlink()
    opened(chrome, address)
    assert "the file sheet-0000.js did not arrive" in text(chrome, ".dgp-pictures .dgp-wrong")
    (files / "attempts-all.js").unlink()
    assert not opened(chrome, address)
    assert "the file attempts-all.js did not arrive" in text(chrome, ".dgp-wrong")
    assert "everyday objects in the twin" in text(chrome, "#failures table"), "the counts stay"
