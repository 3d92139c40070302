"""The page to play with, without a browser: its files and catalogue, and the built module against its sources."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
from safetensors.numpy import load
from small_play import small_supply

from dgrasp.report.play.container import packed
from dgrasp.report.play.page import build_play
from dgrasp.report.play.widget import STATIC, PlayWidget

TOOL = Path(__file__).resolve().parents[2] / "tools" / "play_module.py"


def unpacked(data: bytes, name: str) -> np.ndarray:
    """A rounded array as the page reads it."""
    file = load(gzip.decompress(data))
    planes = file[f"{name}.planes"].astype(np.int64)
    whole = np.cumsum(sum(plane << 8 * k for k, plane in enumerate(planes)), axis=1) % 256 ** len(planes)
    return (file[f"{name}.low"][:, None] + file[f"{name}.step"][:, None].astype(np.float64) * whole).T


@pytest.mark.parametrize("bits", [8, 12, 22])
def test_rounded_numbers_come_back_to_half_a_step(bits):
    numbers = np.random.default_rng(0).normal(size=(5, 7, 3)).cumsum(axis=1)
    back = unpacked(packed({"kind": "scene"}, {}, {"map": numbers}, bits), "map").reshape(numbers.shape)
    step = np.ptp(numbers, axis=(0, 1)) / (2**bits - 1)
    assert (np.abs(back - numbers) <= 0.5 * step + 4e-7 * np.abs(numbers).max()).all()


def test_constant_channels_and_bad_numbers():
    assert (unpacked(packed({}, {}, {"map": np.full((4, 2), 3.5)}, 8), "map") == 3.5).all()
    with pytest.raises(ValueError, match="map: holds numbers that are not finite"):
        packed({}, {}, {"map": np.array([[1.0, np.nan]])}, 8)
    with pytest.raises(ValueError, match="bits: expected 1 to 24, got 25"):
        packed({}, {}, {"map": np.ones((1, 1))}, 25)


def test_the_built_module_is_of_these_sources():
    """Digest of the sources always; every byte where the pinned compiler is installed."""
    ask = f"import sys; sys.path.insert(0, {str(TOOL.parent)!r}); import play_module as p; print(p.digest())"
    command = [sys.executable, "-c", ask]
    stated = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    first = (STATIC / "play.js").read_text(encoding="utf-8").partition("\n")[0]
    assert first.endswith(f"Sources: {stated}"), "run `make play-module`"
    pytest.importorskip("ziglang", reason="the rest needs ziglang: the extra `play`")
    checked = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_catalogue_and_files_name_the_same_things(tmp_path):
    supply = small_supply()
    catalogue = supply.catalogue
    page = build_play(supply, tmp_path).read_text(encoding="utf-8")
    assert json.loads(page.partition('id="play-catalogue">')[2].partition("</script>")[0]) == catalogue
    named = {f"{kind}-{entry['id']}.js" for kind in ("model", "scene") for entry in catalogue[f"{kind}s"]}
    assert {path.name for path in (tmp_path / "play-files").iterdir()} == named | {"still.png"}
    assert catalogue["first"] == {"scene": "noise-0", "models": ["base", "dgrasp_quat"], "policy": "dgrasp_quat_sync"}
    assert "http" not in page.replace("http-equiv", ""), "the page names an address elsewhere"


def test_what_does_not_exist_is_named():
    supply = small_supply()
    with pytest.raises(ValueError, match=r"unknown scene 'x'; models: base, dgrasp_quat; scenes: noise-0, noise-1"):
        supply.file("scene", "x")
    with pytest.raises(ValueError, match=r"trunk_hidden: .* multiples of 4, got 6"):
        small_supply(value={"readout": {"trunk_hidden": 6}}).file("model", "base")


def test_the_widget_answers_with_files_and_with_what_is_wrong(monkeypatch):
    sent = []
    widget = PlayWidget(small_supply())
    monkeypatch.setattr(widget, "send", lambda message, buffers=None: sent.append((message, buffers)))
    for id in ("noise-1", "x"):
        widget._asked(widget, {"key": f"scene {id}", "kind": "scene", "id": id}, [])
    assert sent[0] == ({"key": "scene noise-1"}, [widget.supply.file("scene", "noise-1")])
    assert sent[1][0]["error"].startswith("unknown scene 'x'")
