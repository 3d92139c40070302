"""`failures.html`: the attempts of the published tables, filtered by the reader, with pictures of those that failed.

`build_failures(experiment, folder)` writes the page and its files; it works from disk, as the explorer's page does.
Scenes are made once more, so that pictures cost minutes: they are kept in the experiment's workspace.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd

from dgrasp.cell.transforms import pose_matrix
from dgrasp.evaluation.rows import POSE
from dgrasp.experiment.chain import Experiment
from dgrasp.files import write_text
from dgrasp.jobs.workforce import Workforce, in_order
from dgrasp.report.failures.attempts import (
    FEW,
    MOST,
    SCENE,
    SUCCESSES,
    TWIN,
    attempts_of,
    few_pictured,
    kinds,
    pictured,
)
from dgrasp.report.failures.replay import Job, drawn_again
from dgrasp.report.failures.sheets import WIDEST, kept_sheet, sheet_path
from dgrasp.report.names import object_label, task_label
from dgrasp.report.play.container import facts_of, packed
from dgrasp.report.play.page import script, style, whole_page, write_file
from dgrasp.report.play.supply import SCENES, policy_title
from dgrasp.sim.objects.ycb import ATTRIBUTION, DESCRIPTIONS

Pictures = Literal["all", "few", "kept"]
FOLDER = "failures-files"
TITLE = "Failures: every attempt of the tables"
LEAD = (
    "Each attempt of the simulated table and of the digital twin's, with how it ended. Of failures there are pictures: "
    "what the policy saw, the grasp that it chose, and the last moments of the trial."
)
CODED = ("table", "seed", "task", "presented", "policy", "outcome", "objects", "reason", "sheet")  # words and numbers
START = """
const root = document.getElementById("failures");
root.dgrasp = browse(root, { load, play: PLAY });
"""


def build_failures(
    experiments: Experiment | Sequence[Experiment],
    folder: Path,
    *,
    play: str | None = "play.html",
    played: Sequence[tuple[str, int]] = SCENES,
) -> Path:
    """Write `failures.html` and its files below `folder`; returns the page. Stages that are missing are made.

    experiments: one, or the seeds of one. play: address of the explorer's page, None without one; it has the scenes
    `played` (task, index) of the first experiment. Raises ValueError for none, or several of one seed; RunError,
    LogError or DamagedFileError where the results are not whole.
    """
    attempts = write_files(experiments, folder, played=played if play else ())
    page = folder / "failures.html"
    write_text(page, whole_page(TITLE, LEAD, failures_body(attempts, play)))
    return page


def write_files(
    experiments: Experiment | Sequence[Experiment],
    folder: Path,
    *,
    played: Sequence[tuple[str, int]] = SCENES,
    pictures: Pictures = "all",
) -> pd.DataFrame:
    """What the page loads, below `folder`; returns the attempts, for `failures_body`.

    pictures: "all" makes those that are not kept in the workspace, which takes minutes; "kept" makes none; "few" shows
    the kept ones or, where there are none, makes those of some scenes of each task. The page says which attempts have
    some. See `build_failures` for the rest.
    """
    several = list(experiments) if isinstance(experiments, Sequence) else [experiments]
    by_seed = {one.seed: one for one in several}
    if not several or len(by_seed) < len(several):
        raise ValueError(f"experiments: expected one or more of different seeds, got seeds {[e.seed for e in several]}")
    attempts = pd.concat([attempts_of(one) for one in several], ignore_index=True)
    jobs, which = _chosen(attempts, by_seed, pictures)
    sheets = _sheets(jobs, several[0].profile.runtime.workforce)
    rule = _with_pictures(attempts, sheets, which)
    _write_sheets(folder / FOLDER, {name: data for name, data in sheets.items() if facts_of(data)["attempts"]})
    links = {f"{several[0].seed}/{task}/{index}": f"{task}-{index}" for task, index in played}
    facts = {"experiment": several[0].profile.name, "seeds": len(by_seed), "played": links}
    facts |= {"cameras": {str(one.seed): _camera(one) for one in several}, "rule": rule}
    write_file(folder / FOLDER, "attempts-all", attempts_file(attempts, facts))
    return attempts


def _chosen(
    attempts: pd.DataFrame, by_seed: dict[int, Experiment], pictures: Pictures
) -> tuple[dict[str, tuple[Job, Path]], str]:
    """What makes the pictures, and of which attempts, in words; these are marked in the columns `pictured`, `sheet`."""
    jobs = _marked(attempts, pictured(attempts), by_seed)
    if pictures != "all":
        jobs = {name: job for name, job in jobs.items() if sheet_path(*job).is_file()}
    if pictures != "few" or jobs:
        failed = int((~attempts["success"].astype(bool)).sum())
        which = f"all {failed} failures" if failed <= MOST else f"{MOST} of {failed} failures, evenly chosen,"
        return jobs, f"Pictures are of {which} and of up to {SUCCESSES} successes of each task and policy."
    few = (
        f"There are pictures of first attempts in the {FEW} scenes of each task where most policies failed: of those "
        "that failed, and of one success. The command “dgrasp site --pictures” makes them of all failures."
    )
    return _marked(attempts, few_pictured(attempts, drawn_again), by_seed), few


def _marked(attempts: pd.DataFrame, wanted: pd.Series, by_seed: dict[int, Experiment]) -> dict[str, tuple[Job, Path]]:
    attempts["pictured"] = wanted
    attempts["sheet"] = sheet_names(attempts)
    return _jobs(attempts, by_seed)


def _with_pictures(attempts: pd.DataFrame, sheets: dict[str, bytes], which: str) -> str:
    """Strike out of `pictured` what the sheets do not show; returns which attempts have pictures, in words."""
    made = attempts["sheet"].isin(list(sheets))
    missing = int((attempts["pictured"] & ~made).sum())
    attempts["pictured"] &= made
    rule = _rule(attempts, sheets, which, missing)
    repeated = {int(number) for data in sheets.values() for number in facts_of(data)["attempts"]}
    attempts["pictured"] &= attempts.index.isin(repeated)
    attempts["sheet"] = attempts["sheet"].where(attempts["pictured"], "")
    return rule


def _write_sheets(folder: Path, sheets: dict[str, bytes]) -> None:
    for name, data in sheets.items():
        write_file(folder, f"sheet-{name}", data)
    for path in folder.glob("sheet-*.js"):
        if path.stem.removeprefix("sheet-") not in sheets:
            path.unlink()  # of a former build


def sheet_names(attempts: pd.DataFrame) -> pd.Series:
    """The file of each pictured attempt's pictures, one for a scene; "" for the others."""
    numbers = attempts.groupby(SCENE, sort=False).ngroup()
    return numbers.map("{:04d}".format).where(attempts["pictured"], "")


def attempts_file(attempts: pd.DataFrame, facts: dict[str, Any]) -> bytes:
    """The table as `source/failures_table.js` reads it. facts: what is said beside it."""
    shown = attempts[attempts["pictured"]]
    place = pd.Series(-1, index=attempts.index)
    place[shown.index] = np.arange(len(shown))
    readable = as_read(attempts)
    columns: dict[str, Any] = {name: _coded(readable[name]) for name in CODED}
    columns |= {"picture": place.tolist(), "scene": attempts["scene"].astype(int).tolist()}
    columns |= {"attempt": attempts["attempt"].astype(int).tolist()}
    columns["value"] = [None if pd.isna(x) else round(float(x), 4) for x in attempts["value"]]
    titles = {"policy": {name: policy_title(name) for name in attempts["policy"].unique()}}
    titles["task"] = {name: task_label(name) for name in attempts["task"].unique()}
    header = {"kind": "attempts", "count": len(attempts), "columns": columns, "titles": titles, **facts}
    header["kinds"] = [kinds(names) for names in columns["objects"]["words"]]
    return packed(header, {"poses": _poses(shown)}, {}, 8)


def as_read(attempts: pd.DataFrame) -> pd.DataFrame:
    """The rows with objects as people say them, in `objects` and in `reason`: "tennis ball", not "tennis_ball"."""
    objects, reasons = (attempts[name].fillna("").astype(str).tolist() for name in ("objects", "reason"))
    for place, names in enumerate(objects):
        for name in filter(None, names.split(", ")):
            reasons[place] = reasons[place].replace(name, object_label(name))
        objects[place] = ", ".join(map(object_label, names.split(", ")))
    return attempts.assign(objects=objects, reason=reasons)


def failures_body(attempts: pd.DataFrame, play: str | None) -> str:
    """What a page of the site needs to contain: style, a table of outcomes, and the module with its loader."""
    start = START.replace("PLAY", json.dumps(play))
    note = "<noscript><p>Filters and pictures need JavaScript; here are the counts.</p></noscript>"
    counts = outcome_table(attempts)
    return f'{style()}<div id="failures" class="dgp">{note}{counts}</div>\n{script("failures.js", FOLDER, start)}'


def outcome_table(attempts: pd.DataFrame) -> str:
    """Outcomes of each task and policy as an HTML table, for readers without scripts."""
    counts = attempts.groupby(["task", "policy", "outcome"], sort=False).size().unstack(fill_value=0)
    head = "".join(f'<th scope="col">{html.escape(str(x))}</th>' for x in ("task", "policy", *counts.columns))
    rows = [
        f'<tr><th scope="row">{html.escape(task_label(task))}</th><td>{html.escape(policy_title(policy))}</td>'
        + "".join(f"<td>{n}</td>" for n in row)
        + "</tr>"
        for (task, policy), row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _jobs(attempts: pd.DataFrame, experiments: dict[int, Experiment]) -> dict[str, tuple[Job, Path]]:
    """What makes the pictures of each scene with pictured attempts, and where they are kept, by the file's name."""
    wanted = attempts.assign(number=attempts.index)
    return {
        str(rows.loc[rows["pictured"], "sheet"].iloc[0]): (_job(rows, experiments[seed]), experiments[seed].workspace)
        for (_, seed, *_), rows in wanted.groupby(SCENE, sort=False)
        if rows["pictured"].any()
    }


def _sheets(jobs: dict[str, tuple[Job, Path]], workers: Workforce) -> dict[str, bytes]:
    """The files of all scenes, by name, made side by side."""
    calls = [joblib.delayed(kept_sheet)(*job) for job in jobs.values()]
    made = in_order(calls, workers, next((folder for _, folder in jobs.values()), None))
    return dict(zip(jobs, made, strict=True))


def _job(rows: pd.DataFrame, experiment: Experiment) -> Job:
    p, twin = experiment.profile, rows["table"].iloc[0] == TWIN
    lines = tuple(rows.drop(columns=["sheet", "table"]).to_dict("records"))
    return Job(lines, p.cell, experiment.observer, p.twin.reality if twin else None)


def _camera(experiment: Experiment) -> dict[str, Any]:
    """Calibration of the views at their size on the page."""
    observer = experiment.observer
    share = min(1.0, WIDEST / observer.width)
    K = observer.intrinsics.matrix * np.array([[share], [share], [1.0]])
    return {"K": K.ravel().tolist(), "Ts": observer.Ts_world_cam.reshape(-1, 16).tolist()}


def _coded(column: pd.Series) -> dict[str, Any]:
    codes, words = pd.factorize(column)
    return {"codes": codes.tolist(), "words": [int(w) if isinstance(w, np.integer) else str(w) for w in words]}


def _poses(rows: pd.DataFrame) -> np.ndarray:
    """(n, 12): three rows of the grasps' matrices, float32; NaN where none was chosen."""
    found = np.full((len(rows), 12), np.nan, np.float32)
    for place, pose in enumerate(rows[list(POSE)].to_numpy(dtype=np.float64)):
        if np.isfinite(pose).all():
            found[place] = pose_matrix(pose)[:3].ravel()
    return found


def _rule(attempts: pd.DataFrame, sheets: dict[str, bytes], which: str, missing: int = 0) -> str:
    """What is said of the pictures. which: of which attempts they are. missing: how many of these have none."""
    if missing and not sheets:
        return "No pictures of attempts were made for this page: dgrasp site --pictures makes them."
    lacking = f"{missing} of these have none yet: dgrasp site --pictures makes them. " if missing else ""
    text = (
        f"{which} {lacking}"
        "Their scenes were made once more from their seeds, and every attempt before in the same scene was repeated. "
        f"{_repeated(attempts, sheets)}The grasp is drawn with the calibration that the policy was told."
    )
    of_ycb = attempts["models"].isin(list(DESCRIPTIONS)).any()
    return f"{text} {ATTRIBUTION}." if of_ycb else text


def _repeated(attempts: pd.DataFrame, sheets: dict[str, bytes]) -> str:
    """How many attempts went as their rows say; empty if all did."""
    entries = [one for data in sheets.values() for one in facts_of(data)["attempts"].values()]
    lost = int(attempts["pictured"].sum()) - len(entries)
    exact, other = sum(one["exact"] for one in entries), sum(not one["same"] for one in entries)
    if exact == len(entries) and not lost:
        return ""
    said = [f"When they were repeated, {exact} of {len(entries)} took as many time steps as the table says."]
    if other:
        said.append(f"Of {other} that ended another way there are no pictures of the trial.")
    if lost:
        said.append(
            f"Of {lost} there are no pictures: today's code draws another scene, or an attempt before it ended another "
            "way."
        )
    return " ".join([*said, ""])
