"""`hilum new module`: a package that works, with its test, to start from."""

import re
from pathlib import Path

from hilum.errors import ConfigurationError

PROJECT = """\
[project]
name = "{name}"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["hilum-module", "numpy"]

[project.entry-points."hilum.modules"]
{name} = "{package}:{cls}"

[tool.pytest.ini_options]
pythonpath = ["."]
"""
CODE = '''\
"""{title}: say here what it measures, and what it was compared with."""

from hilum_module import Input, Measurement, Segment, codes


class {cls}:
    name, version, title = "{name}", "0.1", "{title}"
    needs = Input(modality="MR", slice_spacing=(0.5, 2.0))

    def __init__(self):
        """What is slow, such as loading weights, is done here, once."""

    def run(self, series):
        """Yield what is found in `series`."""
        volume = series.volume()  # float32 (slices, rows, columns), affine to LPS mm
        mask = volume.with_array(volume.array > volume.array.mean())
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)
'''
TEST = '''\
"""To be run in Hilum's environment: it checks the promises that results depend on."""

from hilum.testing import check_module, write_series
from {package} import {cls}


def test_it_keeps_the_contract(tmp_path):
    found = check_module({cls}, write_series(tmp_path))
    assert [segment.label for segment in found.segments] == ["Bright"]
'''


def write_skeleton(name: str, into: Path) -> Path:
    """Write the package of a module called `name` below the folder `into`; gives its folder.

    Raises `ConfigurationError` if the name is none for a package, or the folder is there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ConfigurationError(
            f"{name!r} is no name for a module: take small letters, digits and single hyphens,"
            " such as brain-volume"
        )
    folder = into / name
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already: choose another name or folder")
    package = name.replace("-", "_")
    title = name.replace("-", " ").capitalize()
    cls = name.title().replace("-", "")
    words = {"name": name, "package": package, "title": title, "cls": cls}
    for path, text in {
        "pyproject.toml": PROJECT,
        f"{package}/__init__.py": CODE,
        f"tests/test_{package}.py": TEST,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.format(**words))
    return folder
