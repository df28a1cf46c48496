"""Installs the lab's modules for a while, the way a third party does: by their entry points."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.module import ENTRY_POINT_GROUP
from hilum_lab.odd_input.module import DISTRIBUTION, MODULES, RECEIVED

PACKAGE = f"{DISTRIBUTION.replace('-', '_')}-1.0.dist-info"


@contextmanager
def modules_installed(folder: Path, received: Path) -> Iterator[None]:
    """Let this process and its children find the modules; what they receive goes to `received`."""
    metadata = folder / PACKAGE
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1.0\n"
    )
    points = [f"{module.name} = {module.__module__}:{module.__qualname__}" for module in MODULES]
    (metadata / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\n" + "\n".join(points) + "\n"
    )
    received.mkdir(parents=True)
    (metadata / RECEIVED).write_text(str(received))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
