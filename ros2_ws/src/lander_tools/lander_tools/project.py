"""Where the project is, and which version it has."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


def project_root() -> Path:
    """The top of the repository, from the place of this file (the build folder of colcon links to it)."""
    return Path(__file__).resolve().parents[4]


def version() -> str:
    """The version of the software, from the package manifest."""
    manifest = ElementTree.parse(Path(__file__).resolve().parents[1] / "package.xml")
    return str(manifest.findtext("version"))
