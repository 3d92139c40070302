"""`dgrasp ycb`: textured models of the YCB objects, from the set's own site."""

from __future__ import annotations

import argparse
import os
import shlex

from dgrasp.cli.options import Once, add_command, folder, named

TEXT = """\
Download textured models of the YCB objects from the set's own site. A download that breaks off is resumed by the same
command; what arrives is checked against the installed meshes. The last line printed tells dgrasp where they are."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "ycb", "download the YCB objects with their textures", TEXT)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="where they go")
    parser.add_argument(
        "names", type=named, nargs="*", action=Once, metavar="OBJECT", help="some of them (the nine of the novel task)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dgrasp.sim.objects.ycb import ATTRIBUTION, ENVIRONMENT
    from dgrasp.sim.objects.ycb_download import download

    paths = download(options.folder, options.names)
    print(ATTRIBUTION, *paths, sep="\n")
    print(setting(ENVIRONMENT, str(options.folder.resolve())))


def setting(name: str, value: str) -> str:
    """How this system's shell sets a variable of the environment."""
    return f'set "{name}={value}"' if os.name == "nt" else f"export {name}={shlex.quote(value)}"


def how_to() -> str:
    """What gives YCB objects their textures, for messages."""
    return "`dgrasp ycb FOLDER` downloads the textures and says how to set DGRASP_YCB_DIR"
