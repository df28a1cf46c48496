"""Packages as third parties make them: found by their entry points, without an installation."""

from collections.abc import Mapping
from pathlib import Path

from hilum.module import ENTRY_POINT_GROUP


def write_package(
    folder: Path, name: str, points: Mapping[str, str], group: str = ENTRY_POINT_GROUP
) -> Path:
    """Describe a package `name` in `folder`, which has to be on the path of whoever is to find it.

    `points` are its entry points: what each is called, and `module:object` that it stands for.
    Gives the folder of its metadata.
    """
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{point} = {target}" for point, target in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return about
