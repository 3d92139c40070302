"""Build the site: gather what is published, write what is generated, and let Sphinx make pages of it.

    build_site(Sources.of(experiment, figures, executed), Path("build/site"))

Pages are `docs/*.md`. Before Sphinx runs, they are copied to a folder beside the site, together with the pieces that
they include: tables and sentences from the trials, figures at web size, notebooks. Nothing is fetched, and nothing is
left to be fetched by the pages.
"""

from __future__ import annotations

import html
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.files import write_text
from dgrasp.report.outputs import OutputRefused
from dgrasp.report.site.apps import Apps
from dgrasp.report.site.differences import differences
from dgrasp.report.site.gallery import figure, gallery
from dgrasp.report.site.learn import Lesson, lessons_table, write_lessons
from dgrasp.report.site.log import runs_table
from dgrasp.report.site.markdown import linked
from dgrasp.report.site.reference import policies_table, settings_table
from dgrasp.report.site.results import Results, ablations, beyond, questions_tried
from dgrasp.slopes.config import OptimizerConfig

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = ROOT / "notebooks"
MARKER = ".dgrasp-site"  # in a folder that this module made, and may therefore replace
HOME_FIGURES = ("climb", "fig06")  # the first that there is
TRIED_OUT = "Made from profile <code>{}</code>: it shows that everything runs, and says nothing about the method."
# Files of the repository that are pages of the site as they are, and others that a page stands for.
COPIED = {
    "REPRODUCING.md": "/reproducing.md",
    "CONTRIBUTING.md": "/contributing.md",
    "CHANGELOG.md": "/changelog.md",
    "DIGITAL_TWIN.md": "/digital_twin.md",
    "EXPERIMENT_LOG.md": "/experiment_log.md",
    "REAL_CELL.md": "/real_cell.md",
    "OWN_IMAGES.md": "/own_images.md",
    "OWN_DEMONSTRATIONS.md": "/own_demonstrations.md",
    "OWN_CELL.md": "/own_cell.md",
    "figures/runs/laptop/seed-0/model_card.md": "/model_card.md",
}
PAGES = COPIED | {
    "docs/lab_guide.md": "/lab_guide.md",
    "figures/tab01.md": "/results.md",
    "figures/tab02.md": "/results.md",
}
HISTORY = "CHANGELOG.md"  # names sections that are gone
CODE = ("dgrasp/slopes/losses.py", "dgrasp/slopes/exact.py")  # which pages show functions of


@dataclass(frozen=True)
class Sources:
    """What a site is made of. figures: folder of the figures. executed: folder of executed notebooks."""

    experiment: Experiment
    figures: Path
    executed: Path
    notebooks: Path = NOTEBOOKS
    docs: Path = ROOT / "docs"

    def check(self) -> None:
        """Raise OutputRefused where there are no figures yet: nothing is computed for a site."""
        if not (self.figures / "tab01.csv").is_file():
            raise OutputRefused(f"{self.figures}: no figures there; run `make reproduce` or `make figures` first")

    @property
    def lessons(self) -> list[Lesson]:
        """The notebooks in their order."""
        found = sorted(self.notebooks.glob("[0-9][0-9]_*.py"))
        return [Lesson(source, self.executed / f"{source.stem}.ipynb", self.figures) for source in found]


@dataclass(frozen=True)
class Site:
    """A site that was built.

    warnings: what Sphinx had to say. lacking: notebooks without outputs that are up to date, and why.
    """

    folder: Path
    warnings: tuple[str, ...]
    lacking: dict[str, str]


def build_site(sources: Sources, apps: Apps, folder: Path, files: Path | None = None) -> Site:
    """Build the site, and put it in the place of the one in `folder`, if any, once it is whole.

    files: a folder of `apps`' files, laid over the site. Raises OutputRefused where figures are missing, or `folder`
    holds something else than a site.
    """
    sources.check()
    check_folder(folder)
    staging, new = (folder.with_name(f"{folder.name}-{name}") for name in ("source", "new"))
    for left in (staging, new):
        shutil.rmtree(left, ignore_errors=True)
    stage(sources, apps, staging)
    made = new / "html"  # beside it myst-nb leaves a folder of its own
    warnings = run_sphinx(staging, made)
    shutil.rmtree(staging)
    if files is not None:
        shutil.copytree(files, made, dirs_exist_ok=True)
    write_text(made / MARKER, "")
    write_text(made / ".nojekyll", "")  # GitHub Pages would leave out folders that begin with "_"
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)
    shutil.rmtree(new)
    return Site(folder, warnings, {one.stem: one.lacking for one in sources.lessons if one.lacking})


def check_folder(folder: Path) -> None:
    """Raise OutputRefused for a folder that holds something else than a site."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise OutputRefused(f"{folder}: holds something else than a site; give a new or an empty folder")


def stage(sources: Sources, apps: Apps, staging: Path) -> None:
    """All that Sphinx reads, in `staging`."""
    shutil.copytree(sources.docs, staging)
    for path in staging.glob("*.md"):
        write_text(path, _of_docs(path.read_text(encoding="utf-8")))
    (staging / "figures").mkdir()
    for name in CODE:
        shutil.copyfile(ROOT / name, _made(staging / "code") / Path(name).name)
    lessons = sources.lessons
    write_lessons(lessons, staging / "learn")
    for name, page in COPIED.items():
        write_text(staging / page.lstrip("/"), _of_repository(name))
    pieces = Results(sources.experiment, sources.figures).pages() | {
        f"differences_{name}": text
        for name, text in differences(sources.experiment.profile, questions_tried(sources.figures)).items()
    }
    pieces |= {
        "learn": lessons_table(lessons),
        "ablations": ablations(sources.figures),
        "beyond": beyond(sources.figures),
        "gallery": gallery(sources.figures, staging),
        "home_figure": next(filter(None, (figure(id, sources.figures, staging) for id in HOME_FIGURES)), ""),
        "learning_figure": figure("learning", sources.figures, staging),
        "optimizer_config": settings_table(OptimizerConfig),
        "policies": policies_table(),
        "runs": runs_table(sources.experiment),
    }
    for name, text in pieces.items():
        write_text(staging / "generated" / f"{name}.md", text)
    apps.write(staging / "generated")
    if (name := sources.experiment.profile.name) not in PUBLISHABLE:
        write_text(staging / "generated" / "announcement.html", TRIED_OUT.format(html.escape(name)))


def run_sphinx(source: Path, folder: Path) -> tuple[str, ...]:
    """Make the pages; returns the warnings. Raises RuntimeError with the last of them if that fails."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    said = io.StringIO()
    doctrees = source.with_name(f"{source.name}-doctrees")
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(source, source, folder, doctrees, "html", status=None, warning=said, freshenv=True)
        app.build()
    shutil.rmtree(doctrees, ignore_errors=True)
    for map in folder.rglob("*.map"):  # of the theme's sources; nothing for readers
        map.unlink()
    warnings = tuple(line for line in said.getvalue().splitlines() if line.strip())
    if app.statuscode:
        raise RuntimeError(f"{source}: Sphinx could not make the site: {'; '.join(warnings[-3:])}")
    return warnings


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _of_repository(name: str) -> str:
    """A page of the repository, with links to the site's pages."""
    text = (ROOT / name).read_text(encoding="utf-8")
    folder = f"{Path(name).parent.as_posix()}/" if "/" in name else ""
    return linked(text, _pages(), folder, anchors=name != HISTORY)


def _of_docs(text: str) -> str:
    """A page of `docs/`: its links to files of the repository (`../`) as links to the site's pages."""
    for name, page in _pages().items():
        text = text.replace(f"](../{name}", f"]({page}")
    return text


def _pages() -> dict[str, str]:
    """File of the repository -> page of the site."""
    lessons = {f"notebooks/executed/{path.stem}.ipynb": f"/learn/{path.stem}.ipynb" for path in NOTEBOOKS.glob("*.py")}
    return PAGES | lessons
