"""Demonstrations through the formats of other tools and back: the same, or one line that says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation
from value_runs import CONFIG, nerf_run

from dgrasp.cameras import Views
from dgrasp.cell.description import SHIPPED
from dgrasp.cell.place import read_place
from dgrasp.cell.transforms import inverse, transform
from dgrasp.cli.main import main
from dgrasp.data.captures.distortion import FISHEYE_KEYS, PERSPECTIVE_KEYS, Distortion
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.undistort import undistorted
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet, open_demonstrations
from dgrasp.data.export import read_robomimic, write_robomimic
from dgrasp.data.imports import lerobot
from dgrasp.data.imports.check import read_import
from dgrasp.data.imports.episode import ImportRefused, grasp_step, gripper_of, poses_of
from dgrasp.data.imports.lerobot import write_lerobot
from dgrasp.data.imports.plain import write_plain
from dgrasp.data.imports.run import demonstrations_of
from dgrasp.files import UserFileError
from dgrasp.runs import Run
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.training import train_value

for package in ("h5py", "pyarrow", "av"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install 'dgrasp[export]'")
FORMATS = ("lerobot", "robomimic", "folder")
VIEWS = 2
SAME = 1e-6  # of weights that a step moves by up to 1e-4; here they were equal to the bit


@pytest.fixture(scope="module")
def originals(demonstrations: Run) -> dict[str, list[Demonstration]]:
    return {split: list(DemonstrationSet(demonstrations, split)) for split in ("train", "validation")}


@pytest.fixture(scope="module")
def written(originals: dict[str, list[Demonstration]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same demonstrations in each format."""
    folder = tmp_path_factory.mktemp("formats")
    by_key = {"train": originals["train"], "valid": originals["validation"]}
    return {
        "lerobot": write_lerobot(originals, folder / "lerobot", VIEWS),
        "robomimic": write_robomimic(by_key, folder / "demos.hdf5", VIEWS),
        "folder": write_plain(originals, folder / "plain", VIEWS),
    }


def copied(path: Path, target: Path) -> Path:
    import shutil

    target.mkdir()
    return Path(shutil.copytree(path, target / "copy") if path.is_dir() else shutil.copy(path, target / path.name))


def edit(path: Path, change: Callable[[dict], object]) -> None:
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_comes_back(form: str, written: dict[str, Path], originals: dict, tmp_path: Path) -> None:
    episodes, lines = read_import(written[form], form)
    everything = [*originals["train"], *originals["validation"]]
    assert [e.split for e in episodes] == [s for s in ("train", "validation") for _ in originals[s]]
    for e, d in zip(episodes, everything, strict=True):
        np.testing.assert_array_equal(e.views.images, d.views.images[:VIEWS])
        np.testing.assert_allclose(e.views.K, d.views.K[:VIEWS], atol=1e-12)
        np.testing.assert_allclose(e.views.Ts_world_cam, d.views.Ts_world_cam[:VIEWS], atol=1e-12)
        np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp, atol=1e-12)
        assert e.object == d.object
    assert f"episodes: {len(originals['train'])} to train on" in lines[0] and "100% of them see" in " ".join(lines)
    assert "no change of a gripper" not in " ".join(lines)
    run = demonstrations_of(episodes, tmp_path)
    assert demonstrations_of(episodes, tmp_path).path == run.path
    again = DemonstrationSet(open_demonstrations(run.path), "train")
    assert len(again) == len(originals["train"]) and not again.verify()
    for e, d in zip(again, originals["train"], strict=True):
        np.testing.assert_allclose(e.T_world_grasp, d.T_world_grasp, atol=1e-9)
        np.testing.assert_array_equal(e.views.images, d.views.images[:VIEWS])


def test_an_objects_text_may_have_commas_and_quotation_marks(originals: dict, tmp_path: Path) -> None:
    text = 'box, the "red" one'
    path = write_plain({"train": [replace(originals["train"][0], object=text)]}, tmp_path, VIEWS)
    [episode], _ = read_import(path, "folder")
    assert episode.object == text and episode.split == "train"


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_in_other_frames_comes_back(form: str, originals: dict, tmp_path: Path) -> None:
    """In the frame of a base that is turned, with fingers along y, the way it points or the other."""
    cell = yaml.safe_load((SHIPPED / "panda_hand.yaml").read_text())
    cell["arm"]["base_turn"] = 30.0
    (tmp_path / "turned.yaml").write_text(yaml.safe_dump(cell))
    place = read_place(tmp_path / "turned.yaml")
    T_base_world = inverse(transform(Rotation.from_euler("z", 30, degrees=True), cell["arm"]["base_position"]))
    HALF = transform(Rotation.from_euler("z", 180, degrees=True))
    for degrees, left in ((-90, np.eye(4)), (90, HALF)):
        T_tcp_theirs = transform(Rotation.from_euler("z", degrees, degrees=True))
        d = originals["train"][0]
        views = Views(d.views.images, d.views.K, T_base_world @ d.views.Ts_world_cam)
        theirs = replace(d, views=views, Ts_world_tcp=T_base_world @ d.Ts_world_tcp @ T_tcp_theirs)
        demos, at = {"train": [theirs]}, tmp_path / str(degrees)
        at.mkdir()
        if form == "robomimic":
            path = write_robomimic(demos, at / "demos.hdf5", VIEWS)
        else:
            path = {"lerobot": write_lerobot, "folder": write_plain}[form](demos, at / form, VIEWS)
        [e], _ = read_import(path, form, frame="base", closing="y", place=place)
        np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp @ left, atol=1e-9)
        np.testing.assert_allclose(e.views.Ts_world_cam, d.views.Ts_world_cam[:VIEWS], atol=1e-9)
    options = ["--frame", "base", "--closing", "y", "--cell", str(tmp_path / "turned.yaml")]
    assert main(["import", str(path), "--format", form, *options, "--build", str(tmp_path / "build")]) == 0
    [run] = (tmp_path / "build" / "runs").iterdir()
    [again] = DemonstrationSet(open_demonstrations(run), "train")
    np.testing.assert_allclose(again.Ts_world_tcp, d.Ts_world_tcp @ HALF, atol=1e-9)


def trained(demonstrations: Run, root: Path) -> Run:
    """dGrasp's Psi after a few steps, with validation."""
    config = CONFIG.model_copy(update={"steps": 6, "validate_every": 6, "log_every": 1, "validation_scenes": 1})
    return train_value(config, nerf_run(root), demonstrations, root, model="dgrasp_quat", threads=1)


@pytest.fixture(scope="module")
def on_originals(demonstrations: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(demonstrations, tmp_path_factory.mktemp("originals"))


def apart(run: Run, other: Run) -> float:
    """The largest difference of two runs' weights."""
    ours, theirs = run.load("readout"), other.load("readout")
    return max(float((weights - theirs[name]).abs().max()) for name, weights in ours.items())


@pytest.mark.parametrize("form", FORMATS)
def test_training_on_an_import_is_training_on_the_originals(
    form: str, written: dict[str, Path], on_originals: Run, tmp_path: Path
) -> None:
    """The same draws, weights and validation: what a quaternion rounds away is far below single precision."""
    imported = trained(demonstrations_of(read_import(written[form], form)[0], tmp_path), tmp_path)
    assert imported.fingerprint != on_originals.fingerprint
    assert apart(imported, on_originals) <= SAME
    ours, theirs = imported.metrics()[-1], on_originals.metrics()[-1]
    validated = [name for name in theirs if name.startswith("val_")]
    assert validated and all(ours[name] == pytest.approx(theirs[name], abs=SAME) for name in validated)


def test_training_on_grasps_a_millimetre_aside_is_not(
    written: dict[str, Path], on_originals: Run, tmp_path: Path
) -> None:
    """So the weights are the same for the same demonstrations alone."""
    episodes = read_import(written["folder"], "folder")[0]
    aside = [replace(e, Ts_world_tcp=transform(None, (1e-3, 0, 0)) @ e.Ts_world_tcp) for e in episodes]
    assert apart(trained(demonstrations_of(aside, tmp_path), tmp_path), on_originals) > 10 * SAME


def test_another_cell_has_another_workspace(
    written: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check counts grasps inside of it, and the run is of that cell."""
    cell = yaml.safe_load((SHIPPED / "panda_hand.yaml").read_text())
    cell["name"], cell["workspace"]["high"] = "small", [0.0, -0.2, 1.0655]
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(cell))
    asked = ["import", str(written["folder"]), "--format", "folder"]
    picture = ["--check", "--picture", str(tmp_path / "check.png")]
    assert main([*asked, *picture, "--cell", str(tmp_path / "small.yaml")]) == 0
    said = capsys.readouterr().out
    assert "0% inside of the workspace of small" in said and "(-0.03, -0.25, 0.9605) to (0, -0.2, 1.0655) m" in said
    assert main([*asked, *picture]) == 0 and "inside of the workspace of the paper's cell" in capsys.readouterr().out
    assert main([*asked, "--cell", "panda_hand", "--build", str(tmp_path)]) == 0
    written_to = Path(capsys.readouterr().out.splitlines()[-1])
    assert written_to.parent == tmp_path / "runs"
    run = open_demonstrations(written_to)
    assert run.recipe.cell.description.name == "Panda with its hand"
    assert DemonstrationSet(run, "train")[0].state.cell == run.recipe.cell.description
    assert main([*asked, "--check", "--cell", "panda"]) == 2
    assert "panda: no such cell; expected a .yaml file, or one of panda_hand" in capsys.readouterr().err


def test_the_pages_lines_train_and_plan(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """OWN_DEMONSTRATIONS.md, with sizes and a Phi of tests."""
    text = (Path(__file__).parents[2] / "OWN_DEMONSTRATIONS.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## Train on them\n\n```python\n(.*?)```", text, re.DOTALL)
    run = demonstrations_of(read_import(written["folder"], "folder")[0], tmp_path / "build/import")
    small = SimpleNamespace(
        nerf=None, value=CONFIG.model_copy(update={"steps": 2}), optimizer=OptimizerConfig(n_starts=8)
    )
    monkeypatch.setattr("dgrasp.experiment.profiles.load_profile", {"laptop": small}.__getitem__)
    monkeypatch.setattr("dgrasp.nerf.pretrain.pretrain", lambda config, of, root: nerf_run(root))
    monkeypatch.chdir(tmp_path)
    exec(code.replace("demonstrations-...", run.path.name), {})
    numbers = [float(x) for x in re.findall(r"-?\d+\.?(?:\d*)(?:e-?\d+)?", capsys.readouterr().out.split("tensor")[-1])]
    assert len(numbers) >= 16 and numbers[12:16] == [0, 0, 0, 1]


def without_calibration(path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            del demo["calibration"]


def test_missing_calibration_is_refused_by_name(written: dict[str, Path], tmp_path: Path) -> None:
    lerobot = copied(written["lerobot"], tmp_path / "a")
    calibration = (lerobot / "meta" / "cameras.json").rename(tmp_path / "cameras.json")
    with pytest.raises(
        ImportRefused, match=r"its cameras have no calibration \(no .*cameras.json\); give it with --cam"
    ):
        read_import(lerobot, "lerobot")
    assert len(read_import(lerobot, "lerobot", cameras=calibration)[0]) > 3
    edit(calibration, lambda about: about["cameras"].pop("observation.images.view_1"))
    with pytest.raises(ImportRefused, match=r"episode 0: camera 'observation.images.view_1' has no calibration; calib"):
        read_import(lerobot, "lerobot", cameras=calibration)
    hdf5 = copied(written["robomimic"], tmp_path / "b")
    without_calibration(hdf5)
    with pytest.raises(ImportRefused, match=r"demos.hdf5: its cameras have no calibration"):
        read_import(hdf5, "robomimic")
    plain = copied(written["folder"], tmp_path / "c")
    (plain / "episode_00001" / "transforms.json").unlink()
    with pytest.raises(CaptureError, match=r"episode_00001/transforms.json: no such file"):
        read_import(plain, "folder")


def test_a_camera_that_was_renamed_keeps_its_calibration_or_is_refused(
    written: dict[str, Path], tmp_path: Path
) -> None:
    """In the order of the alphabet each would have had the other's, and both would have seen the grasp."""
    import h5py

    path = copied(written["robomimic"], tmp_path / "a")
    known = read_import(path, "robomimic")[0]
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo.move("obs/view_1_image", "obs/agentview_image")
    with pytest.raises(
        ImportRefused, match=r"demo_0: camera 'agentview' has no calibration; calibrated are view_0, vi"
    ):
        read_import(path, "robomimic")
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            del demo["calibration/cameras"]
            demo["calibration/cameras"] = ["view_0", "agentview"]
    for e, d in zip(read_import(path, "robomimic")[0], known, strict=True):
        np.testing.assert_array_equal(e.views.images, d.views.images)
        np.testing.assert_array_equal(e.views.Ts_world_cam, d.views.Ts_world_cam)
    assert [d.split for d in read_robomimic(path)] == ["train"] * sum(e.split == "train" for e in known) + ["valid"] * 2


@pytest.mark.parametrize("meant", ["opengl", "colmap"])
def test_another_convention_is_found_and_named(meant: str, written: dict[str, Path], tmp_path: Path) -> None:
    """Poses that the file calls OpenCV's, and are not."""
    from dgrasp.data.imports.cameras import CONVENTIONS

    lerobot = copied(written["lerobot"], tmp_path / "a")

    def change(about: dict) -> None:
        for camera in about["cameras"].values():
            camera["pose"] = CONVENTIONS[meant](np.array(camera["pose"])).tolist()

    edit(lerobot / "meta" / "cameras.json", change)
    with pytest.raises(ImportRefused, match=f"are read as opencv, but .* they are {meant}; say --convention {meant}"):
        read_import(lerobot, "lerobot")
    right, lines = read_import(lerobot, "lerobot", convention=meant)
    assert any(line.startswith(f"cameras: {meant}, 100%") for line in lines)
    known = read_import(written["lerobot"], "lerobot")[0]
    np.testing.assert_allclose(right[0].views.Ts_world_cam, known[0].views.Ts_world_cam, atol=1e-9)


def test_millimetres_are_named(written: dict[str, Path], tmp_path: Path) -> None:
    plain = copied(written["folder"], tmp_path / "a")
    for path in plain.glob("*/trajectory.csv"):
        head, *rows = path.read_text().splitlines()
        scaled = [[1000 * float(v) if i < 3 else float(v) for i, v in enumerate(row.split(","))] for row in rows]
        path.write_text("\n".join([head, *(",".join(map(repr, row)) for row in scaled), ""]))
    with pytest.raises(
        ImportRefused, match=r"trajectory.csv: positions are up to \d+ m .* look like millimetres; say --u"
    ):
        read_import(plain, "folder")
    known = read_import(written["folder"], "folder")[0]
    for e, d in zip(read_import(plain, "folder", unit="mm")[0], known, strict=True):  # cameras are in metres
        np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp, atol=1e-9)
        np.testing.assert_array_equal(e.views.Ts_world_cam, d.views.Ts_world_cam)
    with pytest.raises(ImportRefused, match=r"trajectory.csv: positions are stated in millimetres .* look like metres"):
        read_import(written["folder"], "folder", unit="mm")
    for path in plain.glob("*/transforms.json"):
        edit(
            path,
            lambda about: [
                [row.__setitem__(3, 1000 * row[3]) for row in f["transform_matrix"][:3]] for f in about["frames"]
            ],
        )
    for e, d in zip(read_import(plain, "folder", unit="mm")[0], known, strict=True):
        np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp, atol=1e-9)
        np.testing.assert_allclose(e.views.Ts_world_cam, d.views.Ts_world_cam, atol=1e-9)


def test_degrees_are_named() -> None:
    columns = {"x": [0.2], "y": [0.0], "z": [1.0], "rx": [180.0], "ry": [0.0], "rz": [0.0]}
    with pytest.raises(ImportRefused, match="rx, ry, rz are up to 180 long; expected are radians, not degrees"):
        poses_of(columns, "m", "here")
    columns["rx"] = [np.pi]
    assert poses_of(columns, "m", "here")[0, 2, 2] == pytest.approx(-1)


def test_cameras_and_hand_in_two_worlds_are_refused(written: dict[str, Path], tmp_path: Path) -> None:
    plain = copied(written["folder"], tmp_path / "a")
    for path in plain.glob("*/trajectory.csv"):
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(f"-3.0,{row.partition(',')[2]}" for row in rows), ""]))
    with pytest.raises(ImportRefused, match=r"of the cameras see the grasps, under any of opencv, opengl, colmap"):
        read_import(plain, "folder")


def info(change: Callable[[dict], object]) -> Callable[[Path], object]:
    return lambda folder: edit(folder / "meta" / "info.json", change)


def calibrated(change: Callable[[dict], object]) -> Callable[[Path], object]:
    return lambda folder: edit(folder / "meta" / "cameras.json", change)


STATE, VIEW_0 = "observation.state", "observation.images.view_0"


@pytest.mark.parametrize(
    ("damage", "answer"),
    [
        (info(lambda a: a.update(codebase_version="v2.1")), "codebase_version 'v2.1'"),
        (info(lambda a: a.update(features=3)), "info.json: lacks features"),
        (
            info(lambda a: a["features"].pop(STATE)),
            r"no feature 'observation.state' \(say --pose\); features: action, ",
        ),
        (
            info(lambda a: a["features"][STATE].update(names=list("abcdefg"))),
            r"episode 0: observation.state: lacks x, y, z, qx, qy, qz, qw \(or rx, ry, rz\); columns: a, b",
        ),
        (
            lambda f: (f / "meta" / "info.json").unlink(),
            "info.json: no such file; expected a LeRobot dataset, version 3",
        ),
        (lambda f: next(f.glob("data/*/*.parquet")).write_bytes(b"no"), r"data/\*/\*.parquet cannot be read"),
        (calibrated(lambda a: a["cameras"][VIEW_0].update(w=99)), "images of 32x24, calibrated for 99x24"),
        (
            calibrated(lambda a: a["cameras"][VIEW_0].update(fl_x=1.9)),
            r"fl_x, fl_y: \(1.9, .*\) are of no lens, at 32 pixels' width",
        ),
        (
            calibrated(lambda a: a["cameras"][VIEW_0].update(camera_model="OPENCV_FISHEYE", k1=0.1, p2=0.1)),
            "p2: not of a fisheye, which has k1, k2, k3, k4",
        ),
        (
            calibrated(lambda a: a["cameras"][VIEW_0].update(k1=-9.0)),
            f"camera '{VIEW_0}': its coefficients in cameras.json: ",
        ),
        (calibrated(lambda a: a["cameras"][VIEW_0].update(k7=0.1)), "k7: Extra inputs are not permitted; allowed: "),
        (calibrated(lambda a: a.update(convention="ros")), "convention: Input should be 'opencv'"),
        (calibrated(lambda a: a["cameras"][VIEW_0]["pose"][0].__setitem__(3, 900.0)), "cameras: .* millimetres"),
    ],
)
def test_datasets_that_cannot_be_used_say_why(
    damage: Callable, answer: str, written: dict[str, Path], tmp_path: Path
) -> None:
    folder = copied(written["lerobot"], tmp_path / "a")
    damage(folder)
    with pytest.raises(ImportRefused, match=answer) as caught:
        read_import(folder, "lerobot")
    assert "\n" not in str(caught.value)


def test_a_datasets_video_is_read_at_the_episodes_time(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labs keep videos; ours of known grey levels, all episodes in one file."""
    import av
    import pyarrow as pa
    import pyarrow.parquet as parquet

    folder, name = copied(written["lerobot"], tmp_path / "a"), "observation.images.view_0"
    [path] = folder.glob("meta/episodes/*/*.parquet")
    rows = parquet.read_table(path).to_pylist()
    file = folder / "videos" / name / "chunk-000" / "file-000.mp4"
    file.parent.mkdir(parents=True)
    with av.open(str(file), "w") as video:
        stream = video.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for i in range(4 * len(rows)):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 20 + 25 * (i // 4), np.uint8), format="rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    for i, row in enumerate(rows):
        row |= {
            f"videos/{name}/chunk_index": 0,
            f"videos/{name}/file_index": 0,
            f"videos/{name}/from_timestamp": 0.4 * i,
        }
    parquet.write_table(pa.Table.from_pylist(rows), path)
    edit(folder / "meta/info.json", lambda about: about["features"][name].update(dtype="video"))
    for i, e in enumerate(read_import(folder, "lerobot")[0]):
        assert abs(float(e.views.images[0].mean()) - (20 + 25 * i)) < 5
    monkeypatch.chdir(folder)
    for place in ("http://localhost:1/x", "../outside.mp4", "tcp:127.0.0.1:1", str(tmp_path / "other.mp4")):
        edit(folder / "meta/info.json", lambda about, place=place: about.update(video_path=place))
        with pytest.raises(ImportRefused, match=r"no video at .*, or not in the dataset's folder"):
            read_import(Path(), "lerobot")
    edit(folder / "meta/info.json", lambda about: about.update(video_path=None))
    file.write_bytes(b"no video")
    with pytest.raises(ImportRefused, match=r"file-000.mp4: cannot be read"):
        read_import(folder, "lerobot")


@pytest.mark.parametrize("options", [{"g": "12", "bf": "2"}, {"g": "1000"}], ids=["key frames", "one key frame"])
def test_a_videos_frame_is_found_from_the_key_frame_before(options: dict, tmp_path: Path, monkeypatch) -> None:
    """The frame that reading from the start finds, of few that are decoded."""
    import av

    file, decoded = tmp_path / "long.mp4", []
    with av.open(str(file), "w") as video:
        stream = video.add_stream("mpeg4", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for i in range(80):
            level = np.full((24, 32, 3), 20 + 2 * i, np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(level, format="rgb24")))
        video.mux(stream.encode())
    with av.open(str(file)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]

    def counted(video, begin: float, seconds: float):  # type: ignore[no-untyped-def]
        def decode(**which: int):  # type: ignore[no-untyped-def]
            for frame in video.decode(**which):
                decoded.append(frame.time)
                yield frame

        return first_from(SimpleNamespace(streams=video.streams, seek=video.seek, decode=decode), begin, seconds)

    first_from = lerobot._first_from
    monkeypatch.setattr(lerobot, "_first_from", counted)
    for i in (0, 1, 9, 10, 11, 12, 13, 23, 24, 25, 47, 63, 79):
        decoded.clear()
        assert np.array_equal(lerobot._frame_at(file, i / 10, 10.0), frames[i]), i
        assert len(decoded) <= (24 if "bf" in options else i + 1)
    with pytest.raises(ImportRefused, match="has no frame at 9 s"):
        lerobot._frame_at(file, 9.0, 10.0)


def test_no_demonstrations_make_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"demonstrations: none in train or validation, got \['train'\]"):
        write_lerobot({"train": []}, tmp_path)


FEW = [(3, r"views: 3 asked of each, scene \d+ has 2; ask for fewer"), (0, "views: expected 1 or more, got 0")]


@pytest.mark.parametrize(("views", "said"), FEW)
def test_views_that_are_not_there_leave_no_dataset(originals: dict, tmp_path: Path, views: int, said: str) -> None:
    two = [replace(d, views=d.views[:2]) for d in originals["train"]]
    with pytest.raises(ValueError, match=said):
        write_lerobot({"train": two}, tmp_path / "a", views)
    more = [*originals["train"], *two]  # those of the first alone were looked at
    assert len(more[0].views) >= 3
    with pytest.raises(ValueError, match=said):
        write_lerobot({"train": more}, tmp_path / "a", views)
    assert not (tmp_path / "a").exists()


def test_episodes_left_of_an_earlier_export_are_refused(originals: dict, tmp_path: Path) -> None:
    train = originals["train"]
    write_plain({"train": train[:2]}, tmp_path, VIEWS)
    path = write_plain({"train": train[1:2]}, tmp_path, VIEWS)
    with pytest.raises(ImportRefused, match=r"episodes.csv: lacks episode 'episode_00001', which has a folder"):
        read_import(path, "folder")


@pytest.mark.parametrize("lens", [{"k1": 0.1, "p2": 0.01}, {"camera_model": "OPENCV_FISHEYE", "k1": 0.05}])
def test_a_bent_datasets_images_are_read_as_a_pinholes(lens: dict, written: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(written["lerobot"], tmp_path / "a")
    straight = read_import(folder, "lerobot")[0][0].views
    calibrated(lambda a: a["cameras"][VIEW_0].update(lens))(folder)
    read = read_import(folder, "lerobot")[0][0].views
    kind, keys = ("fisheye", FISHEYE_KEYS) if "camera_model" in lens else ("perspective", PERSPECTIVE_KEYS)
    distortion = Distortion(kind, tuple(lens.get(key, 0.0) for key in keys))
    image, K = undistorted(straight.images[0], straight.K[0], distortion)
    assert np.array_equal(read.images[0], image) and not np.array_equal(image, straight.images[0])
    assert np.array_equal(read.K, [K, straight.K[1]]) and np.array_equal(read.images[1], straight.images[1])


def test_the_grippers_column_is_the_only_one_of_that_name() -> None:
    assert gripper_of({"x": [0], "gripper.pos": [1]}, "a") == [1]
    assert gripper_of({"Main_Gripper": [2], "gripper": [1]}, "a") == [1] and gripper_of({"x": [0]}, "a") is None
    with pytest.raises(ImportRefused, match=r"a: each of left_gripper, right_gripper could be the gripper's commands"):
        gripper_of({"left_gripper": [0], "right_gripper": [1]}, "a")


def test_an_episode_ends_where_a_column_named_otherwise_says(written: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(written["folder"], tmp_path / "a")
    file = folder / "episode_00000" / "trajectory.csv"
    first, *rows = file.read_text().splitlines()
    commands = [float(i >= 3) for i in range(len(rows))]
    poses = [row.rpartition(",")[0] for row in rows]
    head = first.replace(",gripper", ",Gripper.pos")
    file.write_text("\n".join([head, *(f"{p},{c}" for p, c in zip(poses, commands, strict=True)), ""]))
    assert len(rows) > 4 and len(read_import(folder, "folder")[0][0].Ts_world_tcp) == 4


def test_poses_are_read_from_both_kinds_of_rotation() -> None:
    columns = {"x": [0.1], "y": [0.2], "z": [1.0], "rx": [0.0], "ry": [np.pi], "rz": [0.0]}
    np.testing.assert_allclose(poses_of(columns, "m", "a")[0][:3, :3], np.diag([-1.0, 1, -1]), atol=1e-12)
    with pytest.raises(ImportRefused, match="a: step 0: qx, qy, qz, qw have length 2, expected 1"):
        poses_of({"x": [0], "y": [0], "z": [0], "qx": [2], "qy": [0], "qz": [0], "qw": [0]}, "m", "a")
    with pytest.raises(ImportRefused, match="a: step 1: ry is NaN or infinite, expected a number"):
        poses_of({name: [*values, np.nan if name == "ry" else 0.0] for name, values in columns.items()}, "m", "a")


def test_the_grasp_is_where_the_gripper_closes_last() -> None:
    level, down = np.zeros(5), np.linspace(0.2, 0.0, 21)
    assert grasp_step([1, 1, 0, 0, 1], level) == (2, 2) and grasp_step(None, level) == (4, 0)
    assert grasp_step([0.0] * 5, level) == (4, 0)
    closed_first = [0.0] * 3 + [1.0] * 17 + [0.0]
    assert grasp_step(closed_first, down) == (20, 2) and grasp_step([1 - c for c in closed_first], down) == (20, 2)
    again = [1.0] * 10 + [0.0] * 3 + [1.0] * 3 + [0.0] * 5  # missed, and closed once more
    assert grasp_step(again, np.array([0.2] * 10 + [0.05] * 3 + [0.05] * 3 + [0.05] * 5)) == (16, 3)
    assert grasp_step([80.0 - 4 * i for i in range(21)], down) == (11, 1)  # a width that is measured


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_noise_of_the_gripper_is_no_change(unit: float) -> None:
    width = unit * (0.08 + 1e-5 * np.random.default_rng(1).standard_normal(21))
    assert grasp_step(width, np.linspace(0.2, 0.0, 21)) == (20, 0)
    width[:15] -= unit * 0.03
    assert grasp_step(width, np.linspace(0.2, 0.0, 21)) == (15, 1)


def test_commands_that_are_none_are_refused() -> None:
    with pytest.raises(ImportRefused, match=r"a: the gripper's commands: expected 3 finite numbers, got NaN or inf"):
        grasp_step([1, np.nan, 0], np.zeros(3), "a")
    with pytest.raises(ImportRefused, match=r"expected 3 finite numbers, got 2 values"):
        grasp_step([1, 0], np.zeros(3), "a")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trajectory.csv", "x,y,z,qx,qy,qz,qw\n0,1,0,1,1,0,0,0,1,0\n", "line 2: 10 values, expected 7"),
        ("trajectory.csv", "x,y,z,x,qx,qy,qz,qw\n0,0,1,9,0,0,0,1\n", "column 'x' stands twice"),
        ("../episodes.csv", "episode,object\nepisode_00000,a\nepisode_00000,b\n", "'episode_00000' stands twice"),
    ],
)
def test_tables_that_would_be_read_otherwise_than_meant(
    written: dict[str, Path], tmp_path: Path, name: str, text: str, message: str
) -> None:
    folder = copied(written["folder"], tmp_path / "a")
    (folder / "episode_00000" / name).write_text(text)
    with pytest.raises(UserFileError) as caught:
        read_import(folder, "folder")
    assert message in str(caught.value) and Path(name).name in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_checks_draws_and_writes(
    form: str, written: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "check.png"
    assert main(["import", str(written[form]), "--format", form, "--check", "--picture", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "see the grasp" in out and re.search(
        "grasps: 100% inside of the workspace of the paper.s cell, 100% point down", out
    )
    assert picture.stat().st_size > 10_000
    assert main(["import", str(written[form]), "--format", form, "--build", str(tmp_path)]) == 0
    run = open_demonstrations(Path(capsys.readouterr().out.splitlines()[-1]))
    assert len(DemonstrationSet(run, "validation")) == 2
    assert main(["import", str(tmp_path), "--format", form]) == 2
    assert capsys.readouterr().err.count("\n") == 1
