"""The playable landscape in a notebook: computed by the browser, so that it also moves where no kernel runs fast.

`PlayWidget(Supply.of(experiment))` is an anywidget: JupyterLab, VS Code and others show it. The kernel is asked for
files alone, when a scene or a model is chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from dgrasp.report.play.supply import Supply

STATIC = Path(__file__).parent / "static"


class PlayWidget(anywidget.AnyWidget):
    """The page's explorer over the scenes and models of a supply."""

    _esm = STATIC / "play.js"
    _css = STATIC / "play.css"
    catalogue = traitlets.Dict().tag(sync=True)
    still = traitlets.Unicode("").tag(sync=True)

    def __init__(self, supply: Supply) -> None:
        super().__init__(catalogue=supply.catalogue)
        self.supply = supply
        self.on_msg(self._asked)

    def _asked(self, widget: object, message: dict[str, Any], buffers: list[bytes]) -> None:
        """The page asks for a file: answer with it, or with what is wrong."""
        answer = {"key": message["key"]}
        try:
            self.send(answer, [self.supply.file(message["kind"], message["id"])])
        except Exception as error:  # whatever it is: out of a callback nobody would ever see it
            self.send({**answer, "error": str(error)})
