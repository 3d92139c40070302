"""Sphinx's settings. `dgrasp site` copies this folder, adds what is generated, and runs Sphinx there."""

import warnings
from pathlib import Path

import dgrasp

ANNOUNCEMENT = Path(__file__).with_name("generated") / "announcement.html"  # of what is no result

warnings.filterwarnings("ignore", message=".*RemovedInSphinx.*")

project = "dGrasp, reproducible"
copyright = "the dgrasp contributors; code MIT, figures CC BY 4.0"
version = release = dgrasp.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "dgrasp.report.site.katex"]
exclude_patterns = ["generated", "_static"]
default_role = "literal"

# Mathematics: drawn by the site's own KaTeX (dgrasp/report/site/katex.py).
html_math_renderer = "katex"
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# Notebooks are executed before, or not at all; nothing is fetched to show them.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
nb_render_markdown_format = "myst"  # what cells print as Markdown has tables
nb_mime_priority_overrides = [("html", "image/gif", 35)]  # before still pictures, after tables
nb_code_prompt_show = "Show the code of this step"
nb_code_prompt_hide = "Hide the code"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries = False

html_theme = "furo"
html_title = "dGrasp, reproducible"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_show_sphinx = False
html_favicon = "_static/icon.svg"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5"},
    "dark_css_variables": {"color-brand-primary": "#7cc4ff", "color-brand-content": "#7cc4ff"},
    "navigation_with_keys": True,
    **({"announcement": ANNOUNCEMENT.read_text(encoding="utf-8")} if ANNOUNCEMENT.is_file() else {}),
}
image_loading = "lazy"
