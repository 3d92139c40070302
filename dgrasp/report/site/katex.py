"""A Sphinx extension: formulas stand as TeX in the page, and the KaTeX that the site carries draws them.

Pages without formulas do not load it.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

STYLE = "katex/katex.min.css"
SCRIPTS = ("katex/katex.min.js", "draw_formulas.js")
ALIGNED = r"\begin{{aligned}}{}\end{{aligned}}"


def inline(writer: Any, node: nodes.math) -> None:
    """A formula in a line of text."""
    writer.body.append(f'<span class="formula">{html.escape(node.astext())}</span>')
    raise nodes.SkipNode


def block(writer: Any, node: nodes.math_block) -> None:
    """A formula on lines of its own; the place to link to, if it has one."""
    tex = node.astext()
    if r"\\" in tex and r"\begin" not in tex:
        tex = ALIGNED.format(tex)
    target = f' id="{html.escape(node["ids"][0])}"' if node["ids"] else ""
    writer.body.append(f'<div class="formula" tabindex="0" data-block{target}>{html.escape(tex)}</div>\n')
    raise nodes.SkipNode


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Style and scripts, for pages with formulas."""
    if doctree is None or not any(doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block))):
        return
    app.add_css_file(STYLE)
    for script in SCRIPTS:
        app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_html_math_renderer("katex", inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
