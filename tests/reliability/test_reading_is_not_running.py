"""Opening a file imports nothing that it names, starts no program, and writes nothing, anywhere."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
import started
import yaml

from dgrasp.experiment.profiles import Profile, load_profile

PLANTED = "raise SystemExit('a file that was read had this run')"
READ = textwrap.dedent("""
    import sys
    from pathlib import Path

    sys.path.insert(0, sys.argv[1])
    import optuna.storages.journal  # loads its parts, and matplotlib's fonts, when first used
    from campaign import Campaign
    from dgrasp.experiment.profiles import Profile
    from dgrasp.experiment.store import Record
    from small_build import RUNS

    folder = Path(sys.argv[1])
    campaign = Campaign(folder)
    for subject in campaign.subjects.values():
        subject.read()  # once before, so that all modules are loaded
    record = [Record(path.parent, folder / "workspace") for path in folder.glob("published/*/*/profile.json")]

    seen = []

    def hook(event, arguments):
        if event == "import" and not arguments[0].startswith("pydantic"):
            seen.append(f"import {arguments[0]}")
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect"):
            seen.append(event)
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate", "shutil.move"):
            seen.append(f"{event} {arguments[0]}")
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            seen.append(f"open {arguments[0]} {arguments[1]}")

    sys.addaudithook(hook)
    for subject in campaign.subjects.values():
        subject.read()
    for one in record:
        assert one.profile.data.task == "planted:Tower" and one.seed == 0
    print(seen)
    assert "planted" not in sys.modules
""")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with a module that must not run, and a published experiment whose task names it."""
    (tmp_path / "planted.py").write_text(PLANTED)
    profile = Profile(name="theirs").model_dump(mode="json")
    profile["data"]["task"] = "planted:Tower"
    profile["validation"]["tasks"] = ["planted:Tower"]
    profile["evaluation"]["tasks"] = {"planted:Tower": {"scenes": 1, "attempts": 1}}
    published = tmp_path / "published" / "theirs" / "seed-0"
    published.mkdir(parents=True)
    (published / "profile.json").write_text(json.dumps({"profile": profile, "seed": 0}))
    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump(profile))
    return tmp_path


def test_reading_imports_starts_and_writes_nothing(planted: Path) -> None:
    code, said = started.run(READ, planted, HOME=str(planted))
    assert code == 0, said[-2000:]
    assert said.splitlines()[-1] == "[]"


def test_a_profile_with_a_planted_task_is_read_and_not_run(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(planted)
    assert load_profile(planted / "theirs.yaml").data.task == "planted:Tower"
    assert "planted" not in sys.modules
