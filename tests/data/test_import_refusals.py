"""Demonstrations as labs could have them, written by hand: read as they are meant, or refused by what is wrong."""

from __future__ import annotations

import io
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from photographed import camera, lens, page_of, photograph, write_colmap
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp.cameras import CV_TO_GL
from dgrasp.cell.description import read_cell
from dgrasp.cell.place import PAPERS, read_place
from dgrasp.cell.sheet import Sheet, write_sheet_file
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.cli.main import main
from dgrasp.data.imports.check import read_import
from dgrasp.data.imports.episode import check_times, poses_of, until_grasp
from dgrasp.data.imports.run import demonstrations_of
from dgrasp.files import UserFileError
from dgrasp.report.figures import imported
from dgrasp.report.figures.imported import shown

h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install 'dgrasp[export]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install 'dgrasp[export]'")
VIEWS = evaluation_viewpoints(2)  # the paper's
LENS = {"fl_x": 61.7, "fl_y": 61.7, "cx": 32.0, "cy": 24.0, "w": 64, "h": 48}
POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
IMAGE = np.full((48, 64, 3), 128, np.uint8)
STEPS = 5
INTO: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "opencv": lambda T: T, "opengl": lambda T: T @ CV_TO_GL, "colmap": np.linalg.inv,
}  # fmt: skip


def way(grasp: tuple[float, float] = (0.2, 0.05)) -> np.ndarray:
    """Straight down: x y z qx qy qz qw."""
    z = np.linspace(1.2, 0.99, STEPS)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (STEPS, 1))
    return np.column_stack([np.full(STEPS, grasp[0]), np.full(STEPS, grasp[1]), z, still])


def cameras(written: str = "opencv") -> dict[str, Any]:
    stated = {f"view_{i}": {**LENS, "pose": INTO[written](T).tolist()} for i, T in enumerate(VIEWS)}
    return {"convention": "opencv", "unit": "m", "cameras": stated}


def plain(folder: Path, columns: str = ",".join(POSE), rows: np.ndarray | None = None) -> Path:
    """Two episodes in a plain folder."""
    frames = [{"file_path": f"{i}.png", "transform_matrix": (T @ CV_TO_GL).tolist()} for i, T in enumerate(VIEWS)]
    lines = [columns, *(",".join(repr(float(v)) for v in row) for row in (way() if rows is None else rows))]
    for episode in (folder / "a", folder / "b"):
        episode.mkdir(parents=True)
        for i in range(len(VIEWS)):
            Image.fromarray(IMAGE).save(episode / f"{i}.png")
        (episode / "transforms.json").write_text(json.dumps({**LENS, "frames": frames}))
        (episode / "trajectory.csv").write_text("\n".join([*lines, ""]))
    return folder


def robomimic(folder: Path, change: Callable[[Any], object] = lambda file: None, calibrated: bool = True) -> Path:
    """A file of two demonstrations."""
    folder.mkdir(exist_ok=True)
    path = folder / "demos.hdf5"
    with h5py.File(path, "w") as file:
        for name in ("demo_0", "demo_1"):
            group = file.create_group(f"data/{name}")
            group["obs/eef_pos"], group["obs/eef_quat"] = way()[:, :3], way()[:, 3:]
            for i in range(len(VIEWS)):
                group[f"obs/view_{i}_image"] = np.stack([IMAGE] * STEPS)
            group["actions"] = np.where(np.arange(STEPS) == STEPS - 1, 1.0, -1.0)[:, None]
            if calibrated:
                K = [[61.7, 0.0, 31.5], [0.0, 61.7, 23.5], [0.0, 0.0, 1.0]]
                group["calibration/K"], group["calibration/Ts_world_cam"] = np.array([K, K]), VIEWS
        change(file)
    return path


def lerobot(folder: Path, rows: Callable[[list[dict]], list[dict]] = list, **info: Any) -> Path:
    """A dataset of two episodes."""
    import pyarrow as pa

    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, format="PNG")
    seen = {f"view_{i}": {"bytes": buffer.getvalue(), "path": "0.png"} for i in range(len(VIEWS))}
    steps = [
        {
            **seen, "observation.state": row.tolist(), "action": [float(i == STEPS - 1)],
            "timestamp": i / 10, "frame_index": i, "episode_index": e,
        }
        for e in (0, 1)
        for i, row in enumerate(way())
    ]  # fmt: skip
    for path, table in (("data", rows(steps)), ("meta/episodes", [{"episode_index": 0}, {"episode_index": 1}])):
        file = folder / path / "chunk-000" / "file-000.parquet"
        file.parent.mkdir(parents=True)
        parquet.write_table(pa.Table.from_pylist(table), file)
    features = {
        "view_0": {"dtype": "image"}, "view_1": {"dtype": "image"},
        "observation.state": {"names": [*POSE]}, "action": {"names": ["gripper"]},
    }  # fmt: skip
    about = {"codebase_version": "v3.0", "features": features, **info}
    (folder / "meta" / "info.json").write_text(json.dumps(about))
    (folder / "meta" / "cameras.json").write_text(json.dumps(cameras()))
    return folder


def refused(source: Path, form: str, **options: Any) -> str:
    with pytest.raises(UserFileError) as caught:
        read_import(source, form, **options)
    assert "\n" not in str(caught.value) and str(source) in str(caught.value)
    return str(caught.value)


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    timed = np.column_stack([np.arange(STEPS), way(), [0, 0, 0, 0, 1]])
    for form, path in (
        ("folder", plain(tmp_path / "a", ",".join(("time", *POSE, "gripper")), timed)),
        ("robomimic", robomimic(tmp_path)),
        ("lerobot", lerobot(tmp_path / "b", lambda steps: steps[::-1])),  # by frame_index, wherever they stand
    ):
        episodes, lines = read_import(path, form)
        assert [len(e.Ts_world_tcp) for e in episodes] == [STEPS, STEPS]
        np.testing.assert_allclose(episodes[1].Ts_world_tcp[:, :3, 3], way()[:, :3])
        assert not any(line.startswith("!") for line in lines)


@pytest.mark.parametrize(("written", "other"), [("colmap", "opencv"), ("opencv", "colmap")])
def test_the_papers_cameras_inverted_see_the_grasp_too_and_are_refused(
    tmp_path: Path, written: str, other: str
) -> None:
    """World to camera and camera to world look alike where cameras stand as the paper's."""
    path = robomimic(tmp_path, calibrated=False)
    (tmp_path / "cameras.json").write_text(json.dumps({**cameras(written), "convention": other}))
    said = refused(path, "robomimic")
    assert re.search(
        rf"are read as {other}, which has the grasps \d+ degrees from their axes; as {written} it would be 3. Say "
        rf"--convention {written}, or --convention {other} if",
        said,
    )
    np.testing.assert_allclose(
        read_import(path, "robomimic", convention=written)[0][0].views.Ts_world_cam, VIEWS, atol=1e-9
    )
    lines = read_import(path, "robomimic", convention=other)[1]
    assert any(line.startswith(f"! as {written} as many cameras would see the grasp, 3 degrees") for line in lines)


PLAIN = [
    ("time,", np.array([0.0, 1, 3, 2, 4]), "a/trajectory.csv: time: step 3 is at 2, before step 2 at 3; sort"),
    ("t,", np.array([0.0, 1, np.nan, 2, 4]), "a/trajectory.csv: t: expected finite numbers"),
]


@pytest.mark.parametrize(("name", "times", "answer"), PLAIN)
def test_steps_stand_in_the_order_of_their_times(tmp_path: Path, name: str, times: np.ndarray, answer: str) -> None:
    folder = plain(tmp_path / "p", name + ",".join(POSE), np.column_stack([times, way()]))
    assert answer in refused(folder, "folder")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Episode,Split\na,validation\n", "episodes.csv: lacks the column episode; columns: Episode, Split"),
        ("episode,split\na,train\nc,validation\n", "episodes.csv: episode 'c' has no folder with a trajectory.csv"),
    ],
)
def test_a_list_of_other_episodes_is_not_passed_over(tmp_path: Path, text: str, answer: str) -> None:
    (plain(tmp_path / "p") / "episodes.csv").write_text(text)
    assert answer in refused(tmp_path / "p", "folder")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("episode,object\na,box\n", "episodes.csv: lacks episode 'b', which has a folder with a trajectory.csv"),
        ("episode,split\n", "episodes.csv: lacks episode 'a'"),
        ("episode,Split\na,train\nb,validation\n", "episodes.csv: unknown column 'Split'; did you mean 'split'?"),
        ("episode,split\na,train\nb,test\n", "episodes.csv: b: unknown split 'test'; splits: train, validation"),
    ],
)
def test_a_list_states_all_episodes_and_what_they_are_for(tmp_path: Path, text: str, answer: str) -> None:
    """One that it lacks is of an earlier export, say, and nobody asked to train on it."""
    (plain(tmp_path / "p") / "episodes.csv").write_text(text)
    assert answer in refused(tmp_path / "p", "folder")


MASKS: list[tuple[dict[str, list[int]], list[str] | str]] = [  # of demonstrations 0 and 1: what they are for
    ({}, ["train", "train"]),
    ({"train": [0, 1]}, ["train", "train"]),
    ({"train": [0], "valid": [1]}, ["train", "validation"]),
    ({"Train": [0], "VAL": [1]}, ["train", "validation"]),
    ({"valid": [1]}, ["train", "validation"]),
    ({"train": [0, 1], "validation": [1], "val": []}, ["train", "validation"]),
    ({"train": [0, 1], "test": []}, ["train", "train"]),
    ({"20_percent": [0], "better": [1]}, ["train", "train"]),
    ({"train": [0]}, "1: is in none of the splits train (WHERE); state it in train or validation, or take it out"),
    ({"train": [], "valid": [0]}, "1: is in none of the splits train, valid (WHERE)"),
    ({"train": [0], "20_percent": [1]}, "1: is in none of the splits train (WHERE)"),
    ({"train": [0], "test": [1]}, "1: is of split 'test' (WHERE), which is neither trained on nor selected by"),
    ({"test": [1]}, "1: is of split 'test' (WHERE)"),
    ({"train": [0, 1], "Test_seen": [0]}, "0: is of split 'Test_seen' (WHERE)"),
    ({"valid": [0, 1], "eval": [1]}, "1: is of split 'eval' (WHERE)"),
]


def check_splits(path: Path, form: str, expected: list[str] | str) -> None:
    if isinstance(expected, str):
        assert expected in refused(path, form)
    else:
        assert [e.split for e in read_import(path, form)[0]] == expected


@pytest.mark.parametrize(("masks", "expected"), MASKS)
def test_what_a_robomimic_file_holds_out_is_not_trained_on(
    tmp_path: Path, masks: dict[str, list[int]], expected: list[str] | str
) -> None:
    def change(file: Any) -> None:
        for key, members in masks.items():
            file[f"mask/{key}"] = np.array([f"demo_{i}" for i in members], dtype="S8")

    if isinstance(expected, str):
        expected = f"demo_{expected.replace('WHERE', 'mask')}"
    check_splits(robomimic(tmp_path, change), "robomimic", expected)


@pytest.mark.parametrize(("masks", "expected"), MASKS)
def test_what_a_lerobot_dataset_holds_out_is_not_trained_on(
    tmp_path: Path, masks: dict[str, list[int]], expected: list[str] | str
) -> None:
    spans = {name: f"{members[0]}:{members[-1] + 1}" if members else "0:0" for name, members in masks.items()}
    if isinstance(expected, str):
        expected = f"episode {expected.replace('WHERE', 'meta/info.json, splits')}"
    check_splits(lerobot(tmp_path / "a", splits=spans), "lerobot", expected)


@pytest.mark.parametrize("name", ["train", "validation", "val", "test"])
@pytest.mark.parametrize("span", ["0:3", "90:100", "2:1"])
def test_a_datasets_splits_are_of_its_episodes(tmp_path: Path, name: str, span: str) -> None:
    said = refused(lerobot(tmp_path / "a", splits={name: span}), "lerobot")
    assert f"info.json: splits: {name}: got '{span}', the dataset has 2 episodes; expected begin <= end <= 2" in said


@pytest.mark.parametrize("key", ["train", "valid"])
def test_a_mask_is_of_the_files_demonstrations(tmp_path: Path, key: str) -> None:
    said = refused(robomimic(tmp_path, lambda file: file.create_dataset(f"mask/{key}", data=[b"demo_2"])), "robomimic")
    assert f"mask/{key}: 'demo_2' is no demonstration of the file" in said


WORDS = {
    "format": "formats: lerobot, robomimic, folder",
    "unit": "units: m, mm",
    "convention": "conventions: opencv, opengl, colmap",
    "frame": "frames: world, base",
    "closing": "axes: x, y",
}


@pytest.mark.parametrize("wrong", ["openCV", "cm", "", ["m"], 1])
@pytest.mark.parametrize("option", WORDS)
def test_an_unknown_word_is_refused_with_those_there_are(tmp_path: Path, option: str, wrong: Any) -> None:
    """Before anything is read: it is no fault of the file, which need not be there."""
    options = {"form": wrong} if option == "format" else {"form": "folder", option: wrong}
    with pytest.raises(UserFileError) as caught:
        read_import(tmp_path / "none", **options)
    assert str(caught.value) == f"{option}: unknown {wrong!r}; {WORDS[option]}"


def test_an_unknown_unit_is_refused_by_each_reader() -> None:
    with pytest.raises(UserFileError, match="unit: unknown 'cm'; units: m, mm"):
        poses_of({"x": [0.0], "y": [0.0], "z": [0.0], "rx": [0.0], "ry": [0.0], "rz": [0.0]}, "cm", "a")


def test_a_trajectory_has_rows_and_a_motion(tmp_path: Path) -> None:
    assert "a/trajectory.csv: the trajectory is empty" in refused(plain(tmp_path / "none", rows=way()[:0]), "folder")
    one = refused(plain(tmp_path / "one", rows=way()[-1:]), "folder")
    assert "a/trajectory.csv: the trajectory has one step; expected are 2 or more" in one
    still = refused(plain(tmp_path / "still", rows=np.tile(way()[-1:], (STEPS, 1))), "folder")
    assert "a/trajectory.csv: the hand moves by 0 mm in the 5 steps to the grasp; expected a motion" in still
    Ts = np.stack([np.eye(4)] * 3)
    Ts[:, 0, 3] = (0, 0.1, 0.2)
    cut = until_grasp(Ts, [0, 1, 1], "a")
    assert len(cut.Ts_world_tcp) == 2 and (cut.recorded, cut.changes) == (3, 1)
    check_times([0, 0, 1], "a")


def test_centimetres_are_not_taken_for_millimetres(tmp_path: Path) -> None:
    said = refused(plain(tmp_path / "p", rows=way() * [100, 100, 100, 1, 1, 1, 1]), "folder")
    assert "they look like centimetres: give metres (if they are millimetres, say --unit mm)" in said
    said = refused(plain(tmp_path / "q", rows=way() * [1000, 1000, 1000, 1, 1, 1, 1]), "folder")
    assert said.endswith("they look like millimetres; say --unit mm")


def test_a_sheets_cameras_are_in_metres_and_in_the_world(tmp_path: Path) -> None:
    """Whatever unit and frame the trajectories beside them are in."""
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")
    sheet, folder = Sheet(), plain(tmp_path / "p")
    page = page_of(sheet, tmp_path)
    shutil.rmtree(folder / "b")
    for i, T in enumerate((camera(-80), camera(80))):
        image = photograph(page, sheet, lens(640, 480, 617.0), (640, 480), T, finer=1)
        Image.fromarray(image).save(folder / "a" / f"{i}.png")
    (folder / "a" / "transforms.json").unlink()
    write_sheet_file(sheet, folder / "a" / "sheet.yaml")
    [known], lines = read_import(folder, "folder")
    assert "cameras: the sheet, 100% of them see the grasp" in lines
    for frame in ("world", "base"):
        rows = way()
        rows[:, :3] = 1000 * (rows[:, :3] - (BASE if frame == "base" else 0))
        text = "\n".join([",".join(POSE), *(",".join(map(repr, map(float, row))) for row in rows), ""])
        (folder / "a" / "trajectory.csv").write_text(text)
        [e], _ = read_import(folder, "folder", unit="mm", frame=frame)
        np.testing.assert_allclose(e.Ts_world_tcp, known.Ts_world_tcp, atol=1e-9)
        np.testing.assert_allclose(e.views.Ts_world_cam, known.views.Ts_world_cam, atol=1e-9)
    said = refused(folder, "folder", unit="mm")  # the last ones are of the base, 1 m below
    assert "posed by the sheet: are cameras and trajectories in one world" in said and "--frame base" in said


def test_blanks_after_commas_are_no_part_of_names(tmp_path: Path) -> None:
    assert len(read_import(plain(tmp_path / "p", ", ".join(POSE)), "folder")[0][0].Ts_world_tcp) == STEPS
    twice = plain(tmp_path / "q", ", ".join(("x ", *POSE)), np.column_stack([way()[:, 0], way()]))
    assert "two columns have one name, but for blanks: x ,  x" in refused(twice, "folder")


def test_a_cut_that_leaves_little_is_said(tmp_path: Path) -> None:
    rows, columns = way()[[0, -1, -1, -1, -1]], ",".join((*POSE, "gripper"))
    short = plain(tmp_path / "p", columns, np.column_stack([rows, [0, 1, 1, 1, 1]]))
    episodes, lines = read_import(short, "folder")
    assert len(episodes[0].Ts_world_tcp) == 2
    assert any(
        line.startswith("! a, b: less than half of the steps are before the grasp (first: 2 of 5)") for line in lines
    )
    both = plain(tmp_path / "q", columns, np.column_stack([way(), [0, 1, 1, 1, 0]]))
    episodes, lines = read_import(both, "folder")
    assert len(episodes[0].Ts_world_tcp) == STEPS
    [said] = [line for line in lines if line.startswith("!")]
    assert "a, b: the gripper changes more than once (first: 2 times)" in said and "(step 5 of 5)" in said


UNCUT = "no change of a gripper is recorded; the last step is taken for the grasp"


def test_without_a_gripper_the_last_step_is_said_to_be_the_grasp(tmp_path: Path) -> None:
    """And how far it is above the lowest, where the recording goes on with a lift."""
    lines = read_import(plain(tmp_path / "down"), "folder")[1]
    assert f"! a, b: {UNCUT}" in lines
    lifted = way()
    lifted[3:, 2] = 0.99, 1.05  # down by the fourth step, and 60 mm up
    lift = "it is 60 mm above the lowest (step 4 of 5): give a column gripper, or cut after the grasp"
    for name, columns in (("none", POSE), ("still", (*POSE, "gripper"))):
        rows = lifted if name == "none" else np.column_stack([lifted, np.zeros(STEPS)])
        lines = read_import(plain(tmp_path / name, ",".join(columns), rows), "folder")[1]
        assert f"! a, b: {UNCUT}; of a {lift}" in lines
    lifted[:, 2] -= [0, 0, 0, 0, 0.051]
    assert f"! a, b: {UNCUT}" in read_import(plain(tmp_path / "level", rows=lifted), "folder")[1]  # 9 mm


def test_a_robomimic_file_without_actions_ends_at_its_last_step(tmp_path: Path) -> None:
    lines = read_import(robomimic(tmp_path, lambda file: file["data/demo_1"].pop("actions")), "robomimic")[1]
    assert [line for line in lines if line.startswith("!")] == [f"! demos.hdf5: demo_1: {UNCUT}"]


def test_photographs_without_a_trajectory_are_not_passed_over(tmp_path: Path) -> None:
    folder = plain(tmp_path / "p")
    (folder / "notes").mkdir()
    assert len(read_import(folder, "folder")[0]) == 2
    (folder / "b" / "trajectory.csv").unlink()
    assert f"{folder / 'b'}: has cameras and no trajectory.csv; give it one" in refused(folder, "folder")


def test_the_other_order_of_quaternions_is_named(tmp_path: Path) -> None:
    """Written w, x, y, z, hands that point straight down look tilted by their turn about the vertical."""

    def change(file: Any) -> None:
        for name, turn in (("demo_0", 40), ("demo_1", 80)):
            q = Rotation.from_euler("ZX", [turn, 180], degrees=True).as_quat(scalar_first=True)
            file[f"data/{name}/obs/eef_quat"][...] = np.tile(q, (STEPS, 1))

    lines = read_import(robomimic(tmp_path, change), "robomimic", tilt=np.radians(75))[1]
    assert any("tilted by 60 degrees (median), at most 80" in line for line in lines)
    assert "! demos.hdf5: demo_1: grasps tilted by more than 75 degrees, which are never executed" in lines
    assert any("tilt the grasps by 60 degrees (median), as w, x, y, z by 0: which order" in line for line in lines)


def with_other_axes(folder: Path) -> Path:
    """The second episode's poses have OpenCV's axes."""
    frames = [{"file_path": f"{i}.png", "transform_matrix": T.tolist()} for i, T in enumerate(VIEWS)]
    (plain(folder) / "b" / "transforms.json").write_text(json.dumps({**LENS, "frames": frames}))
    return folder


def test_an_episode_whose_cameras_miss_its_grasp_is_named_and_drawn(tmp_path: Path) -> None:
    """And it alone is wrong: no convention is advised for all."""
    episodes, lines = read_import(with_other_axes(tmp_path / "p"), "folder")
    assert "cameras: opengl, 50% of them see the grasp" in lines
    assert "! b: less than half of the cameras see the grasp; as opencv they would" in lines
    with pytest.raises(UserFileError, match="b: no camera sees the grasp; correct the cameras or the trajectory"):
        demonstrations_of(episodes, tmp_path)
    good, bad = episodes
    assert 7 in shown([*[good] * 7, bad, *[good] * 12], 4) and shown([good, bad], 4) == [0, 1]
    assert len(shown([good] * 20, 4)) == 4


def test_the_check_draws_and_ends_as_writing_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(imported, "draw_import", lambda episodes, path: drawn.append(path) or path)
    picture = ["--check", "--picture", str(tmp_path / "check.png")]
    assert main(["import", str(with_other_axes(tmp_path / "p")), "--format", "folder", *picture]) == 2
    assert len(drawn) == 1 and "b: no camera sees the grasp" in capsys.readouterr().err
    assert main(["import", str(plain(tmp_path / "q")), "--format", "folder", *picture]) == 0 and len(drawn) == 2


def test_the_picture_says_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the colours that are drawn, and within the picture, of one column, too."""
    figures: list[Figure] = []
    monkeypatch.setattr(imported, "Figure", lambda **how: figures.append(Figure(**how)) or figures[-1])
    [e, _], _ = read_import(plain(tmp_path / "p"), "folder")
    for views in (2, 1):
        imported.draw_import([replace(e, views=e.views[:views])], tmp_path / "check.png")
        figure = figures[-1]
        [caption] = [text for text in figure.findobj(Text) if text.get_text().startswith("thick: the hand")]
        said = " ".join(caption.get_text().split())
        assert said == imported.CAPTION and "blue: approach" in said and "orange: the hand's way" in said
        box = caption.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0
        way_, *axes = figure.axes[0].lines
        assert way_.get_color() == "orange"
        assert [line.get_color() for line in axes] == 2 * ["tab:red", "tab:green", "tab:blue"]
        thick, thin = {line.get_lw() for line in axes[:3]}, {line.get_lw() for line in axes[3:]}
        assert min(thick) > max(thin)


def test_a_colmap_model_has_one_convention(tmp_path: Path) -> None:
    folder = plain(tmp_path / "p")
    for episode in (folder / "a", folder / "b"):
        (episode / "transforms.json").unlink()
        lens = [(1, "PINHOLE", [61.7, 61.7, 32.0, 24.0])]
        write_colmap(episode, ["0.png", "1.png"], lens, VIEWS, (64, 48), False)
    assert "cameras: a COLMAP model, 100% of them see the grasp" in read_import(folder, "folder")[1]
    said = refused(folder, "folder", convention="colmap")
    assert "the cameras' poses are from a COLMAP model, whose convention is known; leave out --convention" in said


BASE, TURNED = np.array([-0.455, 0.0, 0.973]), Rotation.from_euler("z", -90, degrees=True)  # the paper's base


def test_a_base_frame_and_fingers_along_y_are_read_under_each_convention(tmp_path: Path) -> None:
    """World to camera, too: what is stated there is of the base, and the world is beyond it."""
    rows = way()
    rows[:, :3] -= BASE
    rows[:, 3:] = (Rotation.from_quat(rows[:, 3:]) * TURNED).as_quat()

    def change(file: Any) -> None:
        for demo in file["data"].values():
            demo["obs/eef_pos"][...], demo["obs/eef_quat"][...] = rows[:, :3], rows[:, 3:]

    path = robomimic(tmp_path, change, calibrated=False)
    Ts_base_cam = VIEWS.copy()
    Ts_base_cam[:, :3, 3] -= BASE
    known = read_import(robomimic(tmp_path / "known"), "robomimic")[0]
    for name, into in INTO.items():
        stated = {f"view_{i}": {**LENS, "pose": into(T).tolist()} for i, T in enumerate(Ts_base_cam)}
        (tmp_path / "cameras.json").write_text(json.dumps({"convention": name, "cameras": stated}))
        for e, d in zip(read_import(path, "robomimic", frame="base", closing="y")[0], known, strict=True):
            np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp, atol=1e-9)
            np.testing.assert_allclose(e.views.Ts_world_cam, d.views.Ts_world_cam, atol=1e-9)
    lines = read_import(path, "robomimic")[1]
    assert any(line.endswith("poses in its arm's base frame by --frame base") for line in lines)
    assert any("x crosses its fingers, or y with --closing y" in line for line in lines)


def test_poses_of_the_flange_are_named(tmp_path: Path) -> None:
    """As far behind the TCP as the cell's hand is long, whichever way it points."""
    rows = way()
    rows[:, 3:] = Rotation.from_euler("xyz", [np.pi - 0.2, 0.1, 0.4]).as_quat()
    ahead = Rotation.from_quat(rows[:, 3:]).apply([0.0, 0.0, 1.0])
    flange = np.column_stack([rows[:, :3] - PAPERS.tcp_ahead * ahead, rows[:, 3:]])
    lines = read_import(plain(tmp_path / "flange", rows=flange), "folder")[1]
    assert any(
        line.startswith("! these look like poses of the flange: 100% of the grasps would be inside")
        and "0.234 m further along their z" in line
        for line in lines
    )
    beside = np.column_stack([rows[:, :3] - [0.0, 0.4, 0.0], rows[:, 3:]])
    for name, other in (("tcp", rows), ("beside", beside)):
        lines = read_import(plain(tmp_path / name, rows=other), "folder")[1]
        assert not any("of the flange" in line for line in lines)
    assert any(line.startswith("! grasps outside of the workspace") for line in lines)
    assert read_place("panda_hand").tcp_ahead == read_cell("panda_hand").gripper.tcp_ahead


def test_a_frame_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match="frame: unknown 'tool'; frames: world, base"):
        read_import(plain(tmp_path / "p"), "folder", frame="tool")
    with pytest.raises(UserFileError, match="closing: unknown 'z'; axes: x, y"):
        read_import(tmp_path / "p", "folder", closing="z")


def test_hands_that_point_up_are_said(tmp_path: Path) -> None:
    up = np.column_stack([way()[:, :3], way()[:, 4:], way()[:, 3]])
    lines = read_import(plain(tmp_path / "p", rows=up), "folder")[1]
    assert any(line.startswith("! hands that do not point down when they grasp") for line in lines)


def test_the_check_says_what_writing_would_refuse(tmp_path: Path) -> None:
    folder = plain(tmp_path / "p")
    (folder / "episodes.csv").write_text("episode,split\na,validation\nb,validation\n")
    assert any(line.startswith("! no episode is to be trained on") for line in read_import(folder, "folder")[1])
    about = json.loads((folder / "b" / "transforms.json").read_text())
    (folder / "b" / "transforms.json").write_text(json.dumps({**about, "frames": about["frames"][:1]}))
    assert any(line.startswith("! episodes differ in views or sizes") for line in read_import(folder, "folder")[1])


def put(name: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]
        file[name] = value

    return change


def millimetres(file: Any) -> None:
    for demo in file["data"].values():
        T = demo["calibration/Ts_world_cam"]
        T[:, :3, 3] = 1000 * T[:, :3, 3]


ROBOMIMIC = [
    (millimetres, "demo_0: calibration: positions are up to 16.. m from the origin, .* look like millimetres; divide"),
    (lambda f: f.__delitem__("data/demo_1/calibration"), "demo_1: has no calibration, unlike the first one"),
    (put("data/demo_0/calibration/K", np.eye(3)), r"demo_0: calibration of view_0, view_1: K: expected .* \(2, 3, 3\)"),
    (
        lambda f: f.move("data/demo_1/obs/view_0_image", "data/demo_1/obs/agentview_image"),
        "demo_1: calibration does not say whose it is: images are of agentview, view_1, expected without names are "
        "view_0, view_1; write the names into calibration/cameras, or give the calibration with --cameras FILE",
    ),
    (
        lambda f: f.__delitem__("data/demo_1/obs/view_0_image"),
        r"demo_1: camera 'view_0' has a calibration and no images \(obs/view_0_image\); images are of view_1",
    ),
    (
        lambda f: f.create_dataset("data/demo_0/calibration/cameras", data=[b"view_0", b"wrist"]),
        "demo_0: camera 'view_1' has no calibration; calibrated are view_0, wrist: was it renamed?",
    ),
    (
        lambda f: f.create_dataset("data/demo_0/calibration/cameras", data=[b"view_0"]),
        "demo_0: calibration/cameras: expected 2 names, as many as K has entries, and each once; got view_0",
    ),
    (
        put("data/demo_0/calibration/K", np.array([[[617.0, 0, 319.5], [0, 617.0, 239.5], [0, 0, 1]]] * 2)),
        r"demo_0: calibration/K: camera 'view_0': cx, cy: \(319.5, 239.5\) is outside of 64x48 pixels; is it of images",
    ),
    (put("data/demo_0/obs/eef_quat", way()[:3, 3:]), "demo_0: obs: eef_pos has 5 steps, eef_quat 3"),
    (
        put("data/demo_0/obs/eef_pos", way()[:, :2]),
        r"demo_0: obs/eef_pos: expected numbers of shape \(steps, 3\): x, y, z; got float64 of shape \(5, 2\)",
    ),
    (put("data/demo_0/obs/eef_pos", [b"a", b"b"]), r"demo_0: obs/eef_pos: .*; got .* of shape \(2,\)"),
    (put("data/demo_0/actions", np.zeros(STEPS)), r"demo_0: actions: .*; got float64 of shape \(5,\)"),
    (put("data/demo_0/actions", np.zeros((STEPS, 0))), r"demo_0: actions: .*; got float64 of shape \(5, 0\)"),
    (put("data/demo_0/obs", np.zeros(3)), "demo_0: obs: expected a group of observations, got float64"),
    (
        put("data/demo_1/obs/view_1_image", np.zeros((STEPS, 24, 32, 3), np.uint8)),
        "demo_1: images differ in size between cameras",
    ),
    (put("data/demo_1/obs/view_1_image", np.zeros((0, 48, 64, 3), np.uint8)), "demo_1: view_1_image: expected uint8"),
    (lambda f: f.move("data/demo_1", "data/last"), "data: unknown 'last'; demonstrations are called demo_0"),
    (lambda f: [f["data"].pop(name) for name in list(f["data"])], "data: has no demonstrations"),
    (lambda f: f.create_dataset("mask/valid", data=[b"demo_9"]), "mask/valid: b?'demo_9' is no demonstration"),
    (lambda f: f.create_dataset("mask/valid", data=[1.0]), "mask/valid: 1.0 is no demonstration"),
]


@pytest.mark.parametrize(("change", "answer"), ROBOMIMIC, ids=[answer for _, answer in ROBOMIMIC])
def test_a_robomimic_file_that_is_wrong_says_where(tmp_path: Path, change: Callable, answer: str) -> None:
    assert re.search(f"demos.hdf5: {answer}", refused(robomimic(tmp_path, change), "robomimic"))


def test_cameras_are_calibrated_by_their_names_and_not_by_the_alphabet(tmp_path: Path) -> None:
    """Of twelve, view_10 comes before view_2; and where names are stated, a camera may have any."""
    many = 12
    K = np.tile(np.array([[61.7, 0.0, 31.5], [0.0, 61.7, 23.5], [0.0, 0.0, 1.0]]), (many, 1, 1))
    Ts = np.stack([camera(azimuth) for azimuth in np.linspace(-140, 140, many)])
    images = [np.full((STEPS, *IMAGE.shape), 10 * i, np.uint8) for i in range(many)]

    def change(file: Any, names: list[str]) -> None:
        for demo in file["data"].values():
            for name in [name for name in demo["obs"] if name.endswith("_image")]:
                del demo[f"obs/{name}"]
            for name, frames in zip(names, images, strict=True):
                demo[f"obs/{name}_image"] = frames
            demo["calibration/K"], demo["calibration/Ts_world_cam"] = K, Ts
            if names[0] != "view_0":
                demo["calibration/cameras"] = np.array(names, dtype="S")

    for i, names in enumerate(([f"view_{i}" for i in range(many)], ["wrist", "agentview", *"jihgfedcba"])):
        path = robomimic(tmp_path / str(i), lambda file, names=names: change(file, names), calibrated=False)
        views = read_import(path, "robomimic")[0][0].views
        assert views.images[:, 0, 0, 0].tolist() == [10 * i for i in range(many)]
        np.testing.assert_array_equal(views.Ts_world_cam, Ts)


def test_what_is_no_file_of_robomimic(tmp_path: Path) -> None:
    assert refused(tmp_path, "robomimic") == f"{tmp_path}: a folder; expected an HDF5 file"
    assert refused(tmp_path / "no.hdf5", "robomimic").endswith("no.hdf5: no such file; expected an HDF5 file")


def test_a_calibration_that_is_no_json_is_named_itself(tmp_path: Path) -> None:
    path = robomimic(tmp_path, calibrated=False)
    (tmp_path / "cameras.json").write_text("{")
    with pytest.raises(UserFileError, match=rf"^{re.escape(str(tmp_path / 'cameras.json'))}: not valid JSON"):
        read_import(path, "robomimic")


def each(**values: Any) -> Callable[[list[dict]], list[dict]]:
    return lambda steps: [{**step, **{k: f(step) for k, f in values.items()}} for step in steps]


def without(name: str) -> Callable[[list[dict]], list[dict]]:
    return lambda steps: [{k: v for k, v in step.items() if k != name} for step in steps]


def test_a_dataset_that_lacks_rows_is_not_cut_short(tmp_path: Path) -> None:
    import pyarrow as pa

    folder = lerobot(tmp_path / "a")
    about = [{"episode_index": 0, "length": STEPS}, {"episode_index": 1, "length": 99}]
    parquet.write_table(pa.Table.from_pylist(about), folder / "meta/episodes/chunk-000/file-000.parquet")
    assert "episode 1: has 5 rows in data/" in (said := refused(folder, "lerobot")) and "says 99: is a file" in said


def test_of_a_dataset_the_first_images_alone_are_kept(tmp_path: Path) -> None:
    """Each image of the others is a megabyte of no use."""

    def heavy(step: dict) -> dict:
        return step["view_0"] if step["frame_index"] == 0 else {"bytes": bytes(2**20), "path": "0.png"}

    folder = lerobot(tmp_path / "a", lambda steps: each(view_0=heavy)(steps[::-1]))
    read_import(folder, "lerobot")  # loads what is loaded once
    tracemalloc.start()
    episodes, _ = read_import(folder, "lerobot")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(np.array_equal(e.views.images, [IMAGE] * len(VIEWS)) for e in episodes) and peak < 2**20


def test_names_of_a_dataset_are_read_as_lerobot_writes_them(tmp_path: Path) -> None:
    """By the number of their columns, too; and names of actions that tell no gripper are no reason to refuse."""
    views = {"view_0": {"dtype": "image"}, "view_1": {"dtype": "image"}}
    state = {"names": {name: i for i, name in reversed(list(enumerate(POSE)))}}
    numbered = {"names": {"gripper": 3, "delta_x": 0, "delta_y": 1}}
    close = each(action=lambda s: [0.0, 9.0 - s["frame_index"], float(s["frame_index"] >= 3)])
    folder = lerobot(tmp_path / "a", close, features={**views, "observation.state": state, "action": numbered})
    episodes, lines = read_import(folder, "lerobot")
    np.testing.assert_allclose(episodes[1].Ts_world_tcp[:, :3, 3], way()[:4, :3])
    assert not any(UNCUT in line for line in lines)
    for i, names in enumerate((None, ["gripper"], {"motors": ["gripper"]}, {"a": True}, [[0], [1], [2]])):
        features = {**views, "observation.state": state, "action": {"names": names}}
        episodes, lines = read_import(lerobot(tmp_path / f"b{i}", close, features=features), "lerobot")
        assert len(episodes[0].Ts_world_tcp) == STEPS and any(UNCUT in line for line in lines)


LEROBOT = [
    (
        lambda steps: [step for step in steps if (step["episode_index"], step["frame_index"]) != (0, 2)],
        {},
        "episode 0: no row has frame_index 2: is a file missing",
    ),
    (each(timestamp=lambda s: -s["timestamp"]), {}, "episode 0: timestamp: step 1 is at -0.1, before step 0 at -?0"),
    (each(frame_index=lambda s: 0), {}, "episode 0: frame_index 0 stands twice"),
    (each(episode_index=lambda s: 2 * s["episode_index"]), {}, r"episode 2 is in data/\*/\*.parquet and not in"),
    (without("frame_index"), {}, "file-000.parquet: lacks frame_index; columns: view_0, "),
    (without("observation.state"), {}, "file-000.parquet: lacks observation.state; columns: view_0, "),
    (
        each(**{"observation.state": lambda s: None if s["frame_index"] == 2 else s["observation.state"]}),
        {},
        "episode 0: observation.state: expected as many numbers in each step",
    ),
    (list, {"splits": {"validation": "a:b"}}, "info.json: splits: validation: expected \"begin:end\" .*, got 'a:b'"),
    (list, {"splits": [0, 1]}, "info.json: splits: expected an object"),
    (list, {"features": {"view_0": "image"}}, "info.json: features: view_0: expected an object"),
    (
        list,
        {"features": {"view_0": {"dtype": "image"}, "observation.state": {"names": {}}}},
        r"episode 0: observation.state has 7 columns and the names {}; expected as many: in meta/info.json, features, "
        r"observation.state, state \"names\": \[x, y, z, qx, qy, qz, qw\]",
    ),
    (
        list,
        {"features": {"view_0": {"dtype": "video"}, "observation.state": {"names": [*POSE]}}},
        r"episode 0: meta/episodes/\*/\*.parquet lack videos/view_0/chunk_index, .*: where is its video",
    ),
]


@pytest.mark.parametrize(("rows", "info", "answer"), LEROBOT, ids=[answer for *_, answer in LEROBOT])
def test_a_lerobot_dataset_that_is_wrong_says_where(tmp_path: Path, rows: Callable, info: dict, answer: str) -> None:
    assert re.search(answer, refused(lerobot(tmp_path / "a", rows, **info), "lerobot"))
