"""Installs the lab's modules for a while, the way a third party does: by their entry points."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum_lab.odd_input.module import DISTRIBUTION, MODULES, RECEIVED
from hilum_lab.package import write_package


@contextmanager
def modules_installed(folder: Path, received: Path) -> Iterator[None]:
    """Let this process and its children find the modules; what they receive goes to `received`."""
    points = {module.name: f"{module.__module__}:{module.__qualname__}" for module in MODULES}
    metadata = write_package(folder, DISTRIBUTION, points)
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
