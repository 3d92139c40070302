"""What a stage's code is: the modules that it imports, by their syntax; and which edit makes which stage anew."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dgrasp import fingerprints
from dgrasp.fingerprints import code_of, package_digest

STAGES = {
    "demonstrations": "dgrasp.data.generate",
    "nerf": "dgrasp.nerf.pretrain",
    "value": "dgrasp.value.training",
    "study": "dgrasp.evaluation.study.stage",
    "table": "dgrasp.evaluation.table",
    "sweep": "dgrasp.twin.sweep",
    "twin trials": "dgrasp.twin.trials",
}
INPUTS = {
    "nerf": {"demonstrations"},
    "value": {"demonstrations", "nerf"},
    "study": {"nerf", "value"},
    "table": {"study"},
    "sweep": {"study"},
    "twin trials": {"study"},
}
PLANS = {"study", "table", "sweep", "twin trials"}  # stages in which a policy plans


# --- one's own code ---------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `method_under_test` that a stage can name."""
    folder = tmp_path / "code" / "method_under_test"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Doc."""\n')
    (folder / "step.py").write_text('"""Doc."""\n\ndef step(x):\n    """Doc."""\n    return x + 1  # why\n')
    monkeypatch.syspath_prepend(folder.parent)
    yield folder
    sys.modules.pop("method_under_test", None)


def digest() -> str:
    return package_digest("method_under_test")


def test_comments_docstrings_and_layout_do_not_count(package):
    before = digest(), code_of(["method_under_test.step"])
    (package / "step.py").write_text(
        '"""Other."""\n# more\n\n\ndef step(x):\n    """Longer."""\n    return (x +\n        1)\n'
    )
    assert (digest(), code_of(["method_under_test.step"])) == before


@pytest.mark.parametrize("line", ["return x + 2", "return x - 1", 'return "x"', "return x + 1.0", "yield x + 1"])
def test_code_counts(package, line):
    before = digest(), code_of(["method_under_test.step"])
    (package / "step.py").write_text(f"def step(x):\n    {line}\n")
    after = digest(), code_of(["method_under_test.step"])
    assert before[0] != after[0] and before[1] != after[1]


def test_names_of_files_count(package):
    before = digest()
    (package / "step.py").rename(package / "steps.py")
    assert digest() != before


def test_strings_that_are_not_docstrings_count(package):
    before = code_of(["method_under_test.step"])
    (package / "step.py").write_text("def step(x):\n    y = 'Doc.'\n    return x + 1\n")
    assert code_of(["method_under_test.step"]) != before


@pytest.mark.parametrize("name", ["dgrasp_nothing", "dgrasp.nothing", "__main__"])
def test_an_unknown_module_is_named(name):
    with pytest.raises(ValueError, match=f"unknown module '{name}'"):
        code_of([name])
    with pytest.raises(ValueError, match=f"unknown module '{name}'"):
        package_digest(name)


def test_syntax_is_written_the_same_by_every_python():
    """Python 3.12 adds an (empty) list of type parameters to functions, which must not change fingerprints."""
    tree = ast.parse("def f(x: int, *, y=[]): return -x")
    expected = fingerprints._syntax(tree)
    tree.body[0].type_params = []
    assert fingerprints._syntax(tree) == expected
    assert "type_params" not in expected and "kwonlyargs" in expected


@pytest.mark.parametrize(
    "line",
    [
        "from method_under_test.deep import helper",
        "from method_under_test.deep.helper import f",
        "from method_under_test.deep.helper import *",
        "import method_under_test.deep.helper",
        "import method_under_test.deep.helper as h",
        "from .deep import helper",
        "from .deep.helper import f",
        "from . import deep\nfrom .deep import helper",
        "def step():\n    from .deep import helper",
        "try:\n    from .deep import helper\nexcept ImportError:\n    pass",
    ],
)
def test_every_kind_of_import_is_followed(package, line):
    (package / "deep").mkdir()
    (package / "deep" / "__init__.py").write_text("VALUE = 3\n")
    (package / "deep" / "helper.py").write_text("from ..step2 import g\n")
    (package / "step2.py").write_text("def g(): ...\n")
    (package / "step.py").write_text(f"{line}\n")
    found = set(code_of(["method_under_test.step"]))
    deep = {f"method_under_test.{name}" for name in ("step", "deep", "deep.helper", "step2")}
    assert found == deep, "the packages' own code counts where they have any"


@pytest.mark.parametrize(
    "line", ["from typing import TYPE_CHECKING\nif TYPE_CHECKING:", "import typing\nif typing.TYPE_CHECKING:"]
)
def test_imports_for_type_checkers_are_not_followed(package, line):
    (package / "other.py").write_text("")
    (package / "step.py").write_text(f"{line}\n    from method_under_test import other\n")
    assert set(code_of(["method_under_test.step"])) == {"method_under_test.step"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from dgrasp.sim import Prism", {"dgrasp.sim.objects.shapes"}),
        ("from dgrasp import sim", {"dgrasp.sim.cell", "dgrasp.sim.tasks.paper", "dgrasp.sim.objects.shapes"}),
        ("import dgrasp.sim", {"dgrasp.sim.cell", "dgrasp.sim.tasks.paper"}),
        ("from dgrasp import streams", {"dgrasp.streams"}),
    ],
)
def test_names_from_tables_stand_for_the_modules_that_define_them(package, line, expected):
    (package / "step.py").write_text(f"{line}\n")
    found = set(code_of(["method_under_test.step"]))
    assert expected <= found and not found & {"dgrasp", "dgrasp.sim", "dgrasp.lazy"}
    if line == "from dgrasp import streams":
        assert found == {"method_under_test.step", "dgrasp.streams"}


def test_a_task_of_one_s_own_is_part_of_the_code_with_what_it_imports(package):
    (package / "helper.py").write_text("SIZE = 3\n")
    (package / "step.py").write_text("from method_under_test import helper\nfrom dgrasp.sim.scene import Scene\n")
    before = code_of([STAGES["table"], "method_under_test.step"])
    assert before.keys() - code_of([STAGES["table"]]).keys() == {"method_under_test.step", "method_under_test.helper"}
    (package / "helper.py").write_text("SIZE = 4\n")
    after = code_of([STAGES["table"], "method_under_test.step"])
    assert {name for name in before if before[name] != after[name]} == {"method_under_test.helper"}


# --- which edit makes which stage anew --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, for all tests here: those that edit a file put it back."""
    target = tmp_path_factory.mktemp("copied") / "dgrasp"
    shutil.copytree(Path(fingerprints.__file__).parent, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@pytest.fixture
def copy(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy in the place of the package."""
    monkeypatch.setattr(fingerprints, "_root", lambda name: copied if name == "dgrasp" else None)
    return copied


def changed_by(path: Path, edit) -> set[str]:
    """The stages that are made anew, their code being another, or an input's, after an edit that is then undone."""
    before = {stage: code_of([entry]) for stage, entry in STAGES.items()}
    text = path.read_text(encoding="utf-8")
    edited = edit(text)
    assert edited != text
    path.write_text(edited, encoding="utf-8")
    changed: set[str] = set()
    for stage, entry in STAGES.items():
        if code_of([entry]) != before[stage] or INPUTS.get(stage, set()) & changed:
            changed.add(stage)
    path.write_text(text, encoding="utf-8")
    return changed


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("slopes/climb", PLANS),
        ("policy/policies", PLANS),
        ("slopes/losses", {"value", *PLANS}),
        ("value/training", {"value", *PLANS}),
        ("evaluation/study/search", PLANS),
        ("evaluation/attempt", PLANS),
        ("evaluation/table", {"table"}),
        ("evaluation/series", PLANS),
        ("evaluation/stage", {"table", "sweep", "twin trials"}),
        ("evaluation/statistics", set()),
        ("twin/rates", set()),
        ("twin/sweep", {"sweep"}),
        ("twin/trials", {"twin trials"}),
        ("nerf/validation", {"nerf", "value", *PLANS}),
        ("data/demonstrations", set(STAGES) - {"demonstrations"}),
        ("data/layout", set(STAGES)),
        ("sim/world", set(STAGES)),
        ("streams", set(STAGES)),
        ("poses", set(STAGES)),
        ("twin/reality", {"sweep", "twin trials"}),
        ("report/tables/success", set()),
        ("report/outputs", set()),
        ("experiment/chain", set()),
        ("experiment/profiles/__init__", set()),
        ("data/export", set()),
        ("policy/diagnostics", set()),
        ("robot/drivers/ur", set()),
        ("lazy", set()),
    ],
)
def test_an_edit_makes_the_stages_anew_that_use_the_code(copy, module, expected):
    assert changed_by(copy / f"{module}.py", lambda text: f"{text}\nEDITED = 1\n") == expected


@pytest.mark.parametrize("module", ["slopes/climb", "data/generate", "sim/world", "nerf/model", "runs"])
def test_docstrings_comments_and_layout_change_nothing(copy, module):
    def edit(text: str) -> str:
        return "# A comment.\n" + text.replace('"""\n', ' And more."""\n\n', 1).replace("\n\n\n", "\n\n\n\n")

    assert changed_by(copy / f"{module}.py", edit) == set()


@pytest.mark.parametrize("package", ["", "sim/", "nerf/", "evaluation/"])
def test_tables_of_names_and_packages_that_do_nothing_do_not_count(copy, package):
    path = copy / f"{package}__init__.py"
    assert fingerprints._read(path).table
    assert changed_by(path, lambda text: f"{text}\nrequire_companion(__name__)\n") == set()


def test_packages_that_do_something_count(copy):
    edit = "from dgrasp.lazy import require_companion\nrequire_companion(__name__)\nprint(3)\n"
    assert changed_by(copy / "nerf" / "__init__.py", lambda text: edit) == set(STAGES) - {"demonstrations"}


def test_a_touched_file_changes_nothing(copy):
    before = code_of([STAGES["table"]])
    (copy / "slopes" / "climb.py").touch()
    assert code_of([STAGES["table"]]) == before


def test_what_a_stage_loads_is_in_its_code():
    """Found by reading is at least what running finds, but for the tables of names and what they are made with."""
    script = f"import sys, {', '.join(STAGES.values())}; print(*(m for m in sys.modules if m.startswith('dgrasp.')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    found = code_of(STAGES.values())
    without_code = {"dgrasp.lazy", "dgrasp.memory"} | {m for m in loaded if _is_package(m)}
    assert len(loaded) > 80 and set(loaded) - without_code <= found.keys()


def _is_package(name: str) -> bool:
    return (Path(fingerprints.__file__).parents[1].joinpath(*name.split(".")) / "__init__.py").is_file()


def test_a_module_without_a_file_is_named_with_what_is_missing():
    with pytest.raises(ValueError, match=r"unknown module 'itertools' .*: no .py file of it is found"):
        code_of(["itertools"])
