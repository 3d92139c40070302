"""The slope explorer and the playable landscape as readers meet them: in JupyterLab, in a browser, moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from lab import Page, chromium, jupyterlab, programs
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # 20 s alone, minutes on a busy machine

CELLS = (
    "import torch\nfrom small_explorer import small_explorer\nfrom dgrasp.report.explorer.widget import ExplorerWidget",
    "torch.set_num_threads(1)\nwidget = ExplorerWidget(small_explorer())\nwidget.panel",
    "from small_play import small_supply\nfrom dgrasp.report.play.widget import PlayWidget\nPlayWidget(small_supply())",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A notebook with the explorer and nothing else, run."""
    programs()
    folder: Path = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / "explorer.ipynb")
    with jupyterlab(folder / "notebooks", folder / "settings") as address, chromium(folder / "profile") as chrome:
        page = Page(chrome, address.format("explorer.ipynb"), seconds=250)
        page.run_all()
        yield page


def test_controls_change_the_picture_and_errors_are_said(page: Page) -> None:
    start = page.picture()
    turned = page.changed_by(lambda: page.choose("vertical", "about z"))
    faster = page.changed_by(lambda: page.nudge("translation rate"))
    assert len({start, turned, faster}) == 3 and page.status().startswith("answered in")

    page.choose("horizontal", "about z")
    page.wait.until(lambda _: "two different pose axes" in page.status())
    assert page.picture() == faster

    page.changed_by(lambda: page.choose("horizontal", "z"))
    page.wait.until(lambda _: page.status().startswith("answered in"))


def test_the_picture_is_whole_and_nothing_is_cut_off(page: Page) -> None:
    """The image has arrived in its size, and all labels of controls are read to their ends."""
    assert page.size_of_image() == (1160, 490)
    assert page.labels_cut_off() == []


def test_the_playable_landscape_computes_in_the_notebook(page: Page) -> None:
    """Its module asks the kernel for files alone; values come from the browser."""
    says = "return [...document.querySelectorAll('.dgp-says')].map((p) => p.textContent)"
    page.wait.until(lambda c: [t for t in c.execute_script(says) if t.startswith("Value ")][1:])
    climb = "[...document.querySelectorAll('.dgp button')].find((b) => b.textContent === 'Let 64 climb').click()"
    page.chrome.execute_script(climb)
    status = "return document.querySelector('.dgp-status').textContent"
    page.wait.until(lambda c: "3 steps in" in c.execute_script(status))


def test_the_scene_is_turned_by_hand_in_the_notebook(page: Page) -> None:
    """The view in three dimensions is there, as in the page, and another one after a key."""
    pixels = "return document.querySelector('.dgp-space').toDataURL()"
    page.wait.until(lambda c: c.find_elements(By.CSS_SELECTOR, ".dgp-space"))
    canvas = page.chrome.find_element(By.CSS_SELECTOR, ".dgp-space")
    before = page.chrome.execute_script(pixels)
    canvas.send_keys(Keys.ARROW_LEFT)
    page.wait.until(lambda c: c.execute_script(pixels) != before)
