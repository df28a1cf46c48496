"""Wheels of pure Python, packed here from a folder of code, of which nothing is run.

What a source build runs is the author's code, before any wall. A folder whose pyproject.toml says
everything needs none: its packages are copied as they are (PEP 427, PEP 621).
"""

import base64
import hashlib
import re
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from hilum.errors import ConfigurationError
from hilum.hosts.elsewhere import folder_of_ours
from hilum.module import ENTRY_POINT_GROUP

NO_CODE = {"docs", "test", "tests"}
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the date of every file: the same folder gives the same wheel


@dataclass(frozen=True)
class Project:
    """A package to be packed: its folder, what pyproject.toml says of it, and what belongs to it.

    `code` are the packages below `folder`, and the single files that its entry points name.
    """

    folder: Path
    code: tuple[str, ...]
    name: str
    version: str
    values: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Project":
        """The package in `folder`; `ConfigurationError` says what is missing for a wheel."""
        file = folder / "pyproject.toml"
        try:
            values = tomllib.loads(file.read_text())["project"]
            name, version = str(values["name"]), str(values["version"])
            Requirement(f"{name}=={version}")  # both are as PyPI has them
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{file} gives no name and version of a project: make a wheel of it"
                " (python -m build --wheel), and add that"
            ) from error
        source = folder / "src" if (folder / "src").is_dir() else folder
        packages = {path.parent.name for path in source.glob("*/__init__.py")} - NO_CODE
        code = packages | {file for file in _named(values) if (source / file).is_file()}
        if not code:
            raise ConfigurationError(
                f"{source} holds no code that could be packed: no folder with an __init__.py, and"
                f" no file that an entry point {ENTRY_POINT_GROUP} of pyproject.toml names"
            )
        return cls(source, tuple(sorted(code)), name, version, values)

    @classmethod
    def ours(cls) -> "Project":
        """The package that a module imports in its environment."""
        needed = {"requires-python": ">=3.9", "dependencies": ["numpy>=1.21"]}
        folder = folder_of_ours()
        return cls(folder.parent, (folder.name,), "hilum-module", version("hilum"), needed)

    @property
    def stem(self) -> str:
        """How the name of the wheel begins."""
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}"

    def wheel(self, into: Path) -> Path:
        """Pack it into a wheel in the folder `into`."""
        target = into / f"{self.stem}-py3-none-any.whl"
        about = f"{self.stem}.dist-info"
        record = []
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, content in self._contents(about):
                wheel.writestr(zipfile.ZipInfo(name, EARLIEST), content)
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
                record.append(f"{name},sha256={digest.rstrip('=')},{len(content)}")
            listed = "\n".join([*record, f"{about}/RECORD,,", ""])
            wheel.writestr(zipfile.ZipInfo(f"{about}/RECORD", EARLIEST), listed)
        return target

    def _contents(self, about: str) -> Iterator[tuple[str, bytes]]:
        for path in self._files():
            yield str(path.relative_to(self.folder)), path.read_bytes()
        yield f"{about}/METADATA", self._metadata().encode()
        tags = "Wheel-Version: 1.0\nGenerator: hilum\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        yield f"{about}/WHEEL", tags.encode()
        points = "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in named.items())
            for group, named in self.values.get("entry-points", {}).items()
        )
        yield f"{about}/entry_points.txt", points.encode()

    def _files(self) -> Iterator[Path]:
        for name in self.code:
            place = self.folder / name
            for path in sorted(place.rglob("*")) if place.is_dir() else (place,):
                if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                    yield path

    def _metadata(self) -> str:
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if needed := self.values.get("requires-python"):
            lines.append(f"Requires-Python: {needed}")
        lines += [f"Requires-Dist: {each}" for each in self.values.get("dependencies", ())]
        return "\n".join(lines) + "\n"


def _named(values: dict[str, Any]) -> Iterator[str]:
    """The files that the entry points of modules name, such as "bright.py" by "bright:Bright"."""
    for target in values.get("entry-points", {}).get(ENTRY_POINT_GROUP, {}).values():
        name = str(target).partition(":")[0]
        if name.isidentifier():
            yield f"{name}.py"
