"""The page in Chromium, opened from disk: it computes what Python computes, plays, and says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

pytest.importorskip("selenium", reason="needs selenium: the extra `browser`")
from lab import chromium, programs
from selenium import webdriver
from selenium.webdriver.common.by import By
from small_play import PlayPage, assert_agrees, climb_in_page, landscape, poses, share_near, small_supply
from started import wait_until
from torch.nn import functional as F

from dgrasp import grasp_ranking_loss, slope_loss
from dgrasp.examples.plane import GOOD_ACTION, positional_code
from dgrasp.report.play.widget import STATIC
from dgrasp.slopes.climb import optimize_poses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # 20 s alone, minutes on a busy machine

NETWORKS = {
    "world": ({"frame": "world"}, {}),
    "camera, moved directions, logits summed": (
        {"frame": "camera", "directions": "moved", "blocks_per_view": 1, "hidden": 12, "position_frequencies": 4},
        {"fusion": "sum", "readout": {"activation": "softplus", "last_activation": "relu"}},
    ),
    "camera, SiLU": ({"frame": "camera", "blocks_shared": 1}, {"readout": {"activation": "silu", "query_features": 8}}),
    "ReLU": ({"frame": "world", "hidden": 16}, {"readout": {"activation": "relu"}, "fusion": "sum"}),
}


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    programs()
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(chrome: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> PlayPage:
    return PlayPage(chrome, small_supply(), tmp_path_factory.mktemp("page")).open()


@pytest.mark.parametrize("network", NETWORKS)
def test_scores_and_slopes_of_any_network_are_pythons(chrome, tmp_path, network):
    page = PlayPage(chrome, small_supply(*NETWORKS[network]), tmp_path).open()
    assert_agrees(page, "dgrasp_quat", 0, poses(100))


@pytest.mark.parametrize(
    ("representation", "schedule", "first"),
    [("quat", "sync", None), ("6d", "seq", None), ("quat", "seq", ((1, 38),))],
)
def test_climbs_end_where_pythons_end(page, representation, schedule, first):
    """Final poses within 1 mm and 1 degree for 95 % of the candidates, and the same candidates dropped."""
    page.open()
    T, (config, _, _) = poses(40, seed=1), page.supply.settings["dgrasp_quat_sync"]
    changes = {"steps": 5, "n_starts": 40, "pruning": ((0, 36), (3, 30)), "pruning_first": first}
    config = config.model_copy(update=changes)
    climbed = optimize_poses(
        landscape(page.supply, "base", 0), T, config,
        representation=representation, schedule=schedule, bounds=page.supply.bounds, record=True,
    )  # fmt: skip
    end = climb_in_page(page, T, config, representation, schedule)
    assert end["climbing"] == sorted(climbed.start.tolist())
    assert climbed.paths is not None
    assert share_near(end, climbed.paths[-1]) >= 0.95


def test_a_visitor_drags_climbs_and_cuts(page):
    """The gripper follows the pointer, values and cuts change with it, and 64 candidates climb step by step."""
    page.open()
    before = page.run("return app.explorer.coordinates")
    canvas = page.chrome.find_element(By.CSS_SELECTOR, ".dgp-camera")
    webdriver.ActionChains(page.chrome).drag_and_drop_by_offset(canvas, 40, 25).perform()
    after = page.run("await new Promise((r) => setTimeout(r, 400)); return app.explorer.coordinates")
    assert np.abs(np.subtract(after, before))[:2].max() > 1e-3 and np.allclose(after[2:], before[2:])
    assert page.chrome.find_element(By.CSS_SELECTOR, ".dgp-says").text.startswith("Value ")

    page.run("app.panel.upwards.set('5'); app.panel.setAxes(); await new Promise((r) => setTimeout(r, 1500));")
    assert page.run("return app.explorer.sides.map((s) => [s.cut.grid, s.stale])") == [[21, False], [21, False]]
    frames = page.run(
        "await app.panel.climb(true);"
        "return app.explorer.sides.map((s) => [s.frames.length, s.frames.at(-1).poses.length])"
    )
    assert frames == [[4, 64], [4, 64]] and "3 steps in" in page.status()
    assert [entry for entry in page.chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize(("asked", "first"), [("noise-1", "noise-1"), ("nowhere", "noise-0")])
def test_the_address_names_the_first_scene(page, asked, first):
    page.chrome.get("about:blank")
    page.chrome.get(f"{page.path.as_uri()}#scene={asked}")
    assert page.run("return app.panel.scene.value") == first


def test_keys_move_the_gripper_and_turn_the_scene(page):
    page.open()
    before, turned = page.run("return app.explorer.coordinates"), page.run("return app.explorer.space.azimuth")
    page.chrome.find_element(By.CSS_SELECTOR, ".dgp-camera").send_keys(webdriver.Keys.PAGE_DOWN)
    page.chrome.find_element(By.CSS_SELECTOR, ".dgp-space").send_keys(webdriver.Keys.ARROW_LEFT)
    assert page.run("return app.explorer.coordinates")[2] == pytest.approx(before[2] - 0.005)
    assert page.run("return app.explorer.space.azimuth") > turned


CLIMBING = """
const [then] = a, { explorer, panel } = app, errors = [];
explorer.onError = (error) => errors.push(error.message);
panel.numbers.steps.set(12);
const climb = panel.climb(false);
while (explorer.steps < 2) await new Promise((r) => setTimeout(r, 0));
const key = new KeyboardEvent("keydown", { key: "PageDown" });
if (then === "key") document.querySelector(".dgp-camera").dispatchEvent(key);
else await panel.climb(then === "64");
await climb;
return { errors, steps: explorer.sides.map(({ frames }) => frames.map(({ step }) => step)) };
"""


@pytest.mark.parametrize(("then", "steps"), [("key", 0), ("one", 13), ("64", 13)])
def test_a_climb_ends_when_the_gripper_is_moved_or_another_one_begins(page, then, steps):
    page.open()
    assert page.run(CLIMBING, then) == {"errors": [], "steps": [[*range(steps)]] * 2}
    assert page.status().startswith("12 steps in" if steps else "The climb has ended, since the gripper was moved")


WHEEL = """
const canvas = document.querySelector(".dgp-space"), taken = [];
const turn = (ctrlKey) => !canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 1, ctrlKey, cancelable: true }));
document.activeElement.blur();
taken.push(turn(false), turn(true));
canvas.focus();
taken.push(turn(false));
return taken;
"""


def test_the_wheel_scrolls_the_page_unless_the_scene_is_meant(page):
    page.open()
    assert page.run(WHEEL) == [False, True, True]


def test_canvases_worked_by_keys_keep_them_from_screen_readers(page):
    """Role, label, and a place in the order of the tab key."""
    page.open()
    found = "return [...document.querySelectorAll('.dgp canvas[tabindex]')]"
    told = page.run(f"{found}.map((c) => [c.getAttribute('role'), /keys/.test(c.getAttribute('aria-label'))])")
    assert told == [["application", True]] * 5


PLANE = """
const [points, targets, weight] = arguments, network = new PlaneNetwork(3), total = {};
for (const [name, w] of Object.entries(network.weights)) total[name] = new Float64Array(w.length);
const main = network.mainLoss([GOOD, ...points], total), slope = network.slopeLoss(points, targets, weight, total);
const plain = (of) => Object.fromEntries(Object.entries(of).map(([name, w]) => [name, [...w]]));
return { main, slope, gradient: plain(total), weights: plain(network.weights) };
"""


def test_losses_and_gradients_in_the_plane_are_those_of_torch(chrome):
    """The hand-written second derivative is autograd's."""
    (line,) = [x for x in (STATIC / "play.js").read_text().splitlines() if x.startswith("const PLANE_WORKER_SOURCE = ")]
    source = json.loads(line.partition(" = ")[2].rstrip(";"))
    points = torch.tensor([[0.1, 0.2], [-0.4, 0.5], [0.7, -0.3]], dtype=torch.float64)
    targets, weight = points + torch.tensor([[0.1, 0.05], [0.1, -0.1], [-0.1, 0.2]], dtype=torch.float64), 1.3
    theirs = chrome.execute_script(f"{source}\n{PLANE}", points.tolist(), targets.tolist(), weight)
    w = {name: torch.tensor(x, dtype=torch.float64, requires_grad=True) for name, x in theirs["weights"].items()}

    def value(p: torch.Tensor) -> torch.Tensor:
        x = F.elu(F.linear(positional_code(p), w["W1"].view(64, 20), w["b1"]))
        return F.linear(F.elu(F.linear(x, w["W2"].view(64, 64), w["b2"])), w["w3"][None], w["b3"]).squeeze(-1)

    main = grasp_ranking_loss(value(torch.cat([GOOD_ACTION[None].double(), points])))
    aux = weight * slope_loss(value, points, targets)
    (main + aux).backward()
    assert [theirs["main"], theirs["slope"]] == pytest.approx([main.item(), aux.item()], rel=1e-6)
    for name, x in w.items():
        assert x.grad is not None
        np.testing.assert_allclose(theirs["gradient"][name], x.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_the_plane_is_trained_when_it_is_seen(page):
    page.open()
    said = "return [...document.querySelectorAll('.dgp-plane .dgp-says')].map((p) => p.textContent)"
    assert page.run(said) == ["not trained yet"] * 2
    page.run("document.querySelector('.dgp-plane').scrollIntoView()")
    wait = "for (let i = 0; i < 200; i++) { await new Promise((r) => setTimeout(r, 50));"
    enough = "if (s.every((t) => /^Step [1-9]/.test(t))) return s; } return []"
    texts = page.run(f"{wait} const s = (() => {{ {said} }})(); {enough}")
    assert len(texts) == 2 and all(" of 400: " in text for text in texts)


PALE = """
const canvas = document.querySelector(".dgp-cut"), margin = [0, 0, canvas.width / 8, canvas.height];
const { data } = canvas.getContext("2d").getImageData(...margin);
let count = 0;
for (let i = 0; i < data.length; i += 4) count += data[i] > 200 && data[i + 3] > 200;
return count;
"""


def test_labels_of_a_cut_can_be_read_when_the_theme_becomes_dark(page):
    page.open()
    light = page.chrome.execute_script(PALE)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    page.run("await new Promise((r) => setTimeout(r, 600));")
    assert light == 0 and page.chrome.execute_script(PALE) > 20
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def damaged(page: PlayPage, name: str, change: Callable[[str], str]) -> None:
    path = page.path.parent / "play-files" / name
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:2000] + '");', "is damaged or incomplete"),
        (lambda text: text[:4000] + ("A" if text[4000] != "A" else "B") + text[4001:], "is damaged or incomplete"),
        (lambda text: 'dgraspFile("scene-noise-0", "[[[[[");', "the file of scene noise-0 is damaged"),
    ],
)
def test_a_damaged_scene_is_said(chrome, tmp_path, change, said):
    page = PlayPage(chrome, small_supply(), tmp_path)
    damaged(page, "scene-noise-0.js", change)
    assert said in page.open().status()


def test_a_missing_file_and_foreign_models_are_said(chrome, tmp_path):
    page = PlayPage(chrome, small_supply(), tmp_path)
    (page.path.parent / "play-files" / "scene-noise-0.js").unlink()
    assert "the file scene-noise-0.js did not arrive" in page.open().status()
    other = PlayPage(chrome, small_supply({"density_scale": 2.0, "blocks_shared": 2}), tmp_path / "other")
    scene = "play-files/scene-noise-0.js"
    (page.path.parent / scene).write_text((other.path.parent / scene).read_text())
    assert "the models read Phi" in page.open().status()


CHOOSING = """
const wait = {}, load = app.supply.load, told = [], say = app.panel.say;
app.panel.say = (text, wrong) => (told.push(text), say.call(app.panel, text, wrong));
app.supply.load = async (kind, id) => {
  const bytes = await load(kind, id);
  if (kind === "scene" && id === "noise-1") await new Promise((resolve) => (wait.scene = resolve));
  if (id === "dgrasp_quat") await new Promise((resolve) => (wait.model = resolve));
  return bytes;
};
delete app.queries.dgrasp_quat; // as if it had never been loaded
const early = [app.loadScene("noise-1"), app.loadModels(["dgrasp_quat", ""])];
while (!wait.scene || !wait.model) await new Promise((r) => setTimeout(r, 5));
await Promise.all([app.loadScene("noise-0"), app.loadModels(["base", ""])]);
wait.scene();
wait.model();
await Promise.all(early);
const shown = [app.explorer.scene.facts.id, ...app.explorer.sides.map((side) => side.model)];
app.supply.load = load;
const twice = await Promise.all([1, 2].map(() => app.supply.load("scene", "noise-1").then((bytes) => bytes.length)));
const same = twice[0] > 0 && twice[0] === twice[1];
return { shown, same, bad: told.filter((text) => /damaged|unexpected/.test(text)) };
"""


def test_the_last_choice_is_shown_and_a_file_is_asked_for_once(page):
    page.open()
    assert page.run(CHOOSING) == {"shown": ["noise-0", "base", ""], "same": True, "bad": []}


WITHOUT_A_SCENE = """
const errors = [], usable = () => [...document.querySelectorAll(".dgp button, .dgp select, .dgp input")]
  .filter((one) => !one.disabled && !one.closest(".dgp-plane")).length;
for (const kind of ["error", "unhandledrejection"]) window.addEventListener(kind, () => errors.push(kind));
const before = usable(), key = () => new KeyboardEvent("keydown", { key: "ArrowUp" });
for (const canvas of document.querySelectorAll(".dgp canvas")) canvas.dispatchEvent(key());
await app.panel.climb(false);
await new Promise((r) => setTimeout(r, 50));
const said = app.panel.status.textContent;
await app.loadScene("noise-1");
return { errors, before, said, after: usable() > 20, step: app.panel.step.input.disabled };
"""


def test_without_a_scene_nothing_but_another_can_be_chosen(chrome, tmp_path):
    """The lists of scenes and models are what can be used, and keys do nothing."""
    page = PlayPage(chrome, small_supply(), tmp_path)
    (page.path.parent / "play-files" / "scene-noise-0.js").unlink()
    page.open()
    said = "There is no scene to climb in yet."
    expected = {"errors": [], "before": 3, "said": said, "after": True, "step": True}
    assert page.run(WITHOUT_A_SCENE) == expected


def before_the_module(page: PlayPage, script: str) -> PlayPage:
    """The page with a script that runs first."""
    text, module = page.path.read_text(), '<script type="module">'
    page.path.write_text(text.replace(module, f"<script>{script}</script>{module}"))
    return page


@pytest.mark.parametrize("lacks", ["WebAssembly", "Worker", "DecompressionStream"])
def test_a_browser_that_cannot_compute_shows_the_still_picture(chrome, tmp_path, lacks):
    page = before_the_module(PlayPage(chrome, small_supply(), tmp_path), f"delete globalThis.{lacks}").open()
    assert f"This browser has no {'Web Workers' if lacks == 'Worker' else lacks}" in page.status()
    picture = chrome.find_element(By.CSS_SELECTOR, ".dgp img")
    assert picture.get_attribute("alt") and int(picture.get_property("naturalWidth")) > 500


NO_WEBGL = """
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  if (kind !== "2d") throw new Error(`asked for ${kind}`);
  return context.call(this, kind, ...more);
};
"""
SPACE_COLOURS = """
const canvas = document.querySelector(".dgp-space");
const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
return new Set(new Uint32Array(data.buffer)).size;
"""


def test_the_scene_in_three_dimensions_needs_no_webgl(chrome, tmp_path):
    page = before_the_module(PlayPage(chrome, small_supply(), tmp_path), NO_WEBGL).open()
    assert page.status().startswith("Drag the gripper")
    wait_until(lambda: chrome.execute_script(SPACE_COLOURS) > 20, seconds=20)  # it is drawn with the next frame
