"""Installs a module the way a third party does: a package with an entry point, found by name."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

from hilum_lab.package import write_package

BRIGHT = '''\
"""How much of the volume is brighter than its mean."""

import numpy as np
from hilum import Input, Measurement, Segment, codes


class BrightVolume:
    name, version, title = "bright-volume", "0.1", "Bright volume"
    needs = Input(modality="MR", slice_spacing=(0.5, 2.0))

    def run(self, series):
        volume = series.volume()  # float32 (slices, rows, columns), affine in mm
        mask = volume.with_array(volume.array > np.mean(volume.array))
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)
'''
GO = "while not (pathlib.Path(__file__).parent / 'go').exists(): time.sleep(0.05)"
WAITING = BRIGHT.replace("import numpy as np", "import numpy as np, pathlib, time").replace(
    "volume = series", f"{GO}\n        volume = series"
)
MOODY = """\
from pathlib import Path
from hilum_lab.chaos import moody


class Moody(moody.Moody):
    folder = Path(__file__).parent
"""


def install_plugin(
    folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, name: str, cls: str = "Module"
) -> None:
    """Write `source` and its metadata to `folder`; put it on the path of us and our children."""
    package = f"plugin_{name.replace('-', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package}.py").write_text(textwrap.dedent(source))
    write_package(folder, package, {name: f"{package}:{cls}"})
    monkeypatch.syspath_prepend(str(folder))
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in (str(folder), path) if p))
    sys.modules.pop(package, None)


def install_moody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the laboratory's moody module with `folder` as its own. Gives its diary there."""
    install_plugin(folder, monkeypatch, MOODY, "moody", "Moody")
    return folder / "diary"


def may_write(folder: Path, module: str = "moody") -> dict[str, object]:
    """The `[[host]]` that gives `module` a folder beside its own files, such as for its diary."""
    return {"module": module, "kind": "child", "folders": [str(folder)]}
