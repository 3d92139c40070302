"""JupyterLab in a headless Chromium, offline: what a reader does with a notebook, done by a test."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

selenium = pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1500,1300",
)  # fmt: skip
IMAGE = "img.widget-image, .widget-image img"
ASK = """
    const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel
    kernel.requestKernelInfo().then(() => arguments[0]())
"""
KERNEL = "return window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status"
FOLDERS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")


def programs() -> tuple[str, str]:
    """Chromium and its driver; skips where there are none."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and chromedriver on the PATH (Debian: chromium, chromium-driver)")
    return browser, driver


@contextmanager
def jupyterlab(folder: Path, settings: Path, seconds: float = 300) -> Iterator[str]:
    """A server of this interpreter over `folder`, with settings of its own; yields its address with the token."""
    environment = os.environ | {name: str(settings / name.lower()) for name in FOLDERS}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}",
        "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=", "--allow-root",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    settings.mkdir(parents=True, exist_ok=True)
    with open(settings / "jupyterlab.log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, seconds)
            yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(address: str, server: subprocess.Popen, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (URLError, OSError):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError("JupyterLab did not answer; see jupyterlab.log") from None
            time.sleep(0.2)


@contextmanager
def chromium(profile: Path, logs: Sequence[str] = (), offline: bool = False) -> Iterator[webdriver.Chrome]:
    """A headless browser with a profile of its own. logs: kinds to keep whole. offline: no name leads anywhere."""
    browser, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if offline:
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    if logs:
        options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        chrome.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})  # as a window in front has it
        yield chrome
    finally:
        chrome.quit()


class Page:
    """A notebook in the browser, and the controls of the explorer in it by their labels."""

    def __init__(self, chrome: webdriver.Chrome, address: str, seconds: float) -> None:
        self.chrome = chrome
        self.chrome.set_script_timeout(seconds)
        self.wait = WebDriverWait(chrome, seconds, poll_frequency=0.1)
        chrome.get(address)
        self.wait.until(lambda c: c.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell"))
        self.wait.until(lambda c: c.execute_script(KERNEL) == "idle")

    def run_all(self) -> None:
        """Run all cells, and wait for the explorer's picture."""
        self.chrome.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait.until(lambda c: self.picture() and self.status().startswith("answered"))

    def picture(self) -> str:
        """Where the explorer's image comes from: another address for every image; empty if there is none."""
        found = self.chrome.find_elements(By.CSS_SELECTOR, IMAGE)
        return found[0].get_attribute("src") or "" if found else ""

    def status(self) -> str:
        """The line below the picture."""
        found = self.chrome.find_elements(By.CSS_SELECTOR, ".explorer-status")
        return found[0].text.strip() if found else ""

    def control(self, label: str) -> WebElement:
        """The control with this description."""
        path = f"//*[contains(@class,'widget-inline-hbox')][label[normalize-space()='{label}']]"
        return self.chrome.find_element(By.XPATH, path)

    def choose(self, label: str, option: str) -> None:
        """Choose in a drop-down list."""
        Select(self.control(label).find_element(By.TAG_NAME, "select")).select_by_visible_text(option)

    def nudge(self, label: str, key: str = Keys.ARROW_RIGHT, times: int = 1) -> None:
        """Move a slider by its keys."""
        handle = self.control(label).find_element(By.CSS_SELECTOR, ".noUi-handle")
        for _ in range(times):
            handle.send_keys(key)

    def changed_by(self, act: Callable[[], None]) -> str:
        """Act, wait for another picture and until no more are on their way; returns the address of the last."""
        before = self.picture()
        act()
        self.wait.until(lambda _: self.picture() != before)
        seen = before
        while (now := self._answered()) != seen:
            seen = now
        return now

    def _answered(self) -> str:
        """The picture after an answer of the kernel, which comes after those to all that it was asked before."""
        self.chrome.execute_async_script(ASK)
        self.wait.until(lambda c: c.execute_script(KERNEL) == "idle" and self.status().startswith("answered"))
        return self.picture()

    def size_of_image(self) -> tuple[int, int]:
        """Width and height of the explorer's image as it arrived, pixels."""
        script = "const i = document.querySelector(arguments[0]); return [i.naturalWidth, i.naturalHeight]"
        width, height = self.chrome.execute_script(script, IMAGE)
        return width, height

    def labels_cut_off(self) -> list[str]:
        """Descriptions of controls that do not fit into their place."""
        script = "return [...document.querySelectorAll('.widget-label')].filter(l => l.scrollWidth > l.clientWidth + 1)"
        return [label.text for label in self.chrome.execute_script(script)]
