"""What Hilum is made of, and under which licences: Python packages, Debian programs, shipped files.

The Python packages are those of the default installation, found from what is installed: Hilum, and
whatever it needs, directly or not. They are the packages of requirements.lock.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "hilum"
WITH = frozenset({"setup", "lab"})  # the extras that the launcher installs

NOT_FOR_COMMERCE = "trained on films under non-commercial and research-only licences: see the card"


class ComponentKind(StrEnum):
    """Where a component comes from."""

    PYTHON = "Python package"
    PROGRAM = "Debian package, for the demo only"
    FILE = "file that comes with Hilum"


class Copyleft(IntEnum):
    """How far the terms of a licence reach; the default installation holds nothing over LGPL."""

    NONE = 0
    LGPL = 1
    GPL = 2
    AGPL = 3


@dataclass(frozen=True)
class Component:
    """One thing that is installed or shipped; `needs` names the Python packages it needs itself.

    `licence` is in the words of its maker, an SPDX expression where `is_expression`. `version` is
    empty for files, and for programs that are not installed.
    """

    kind: ComponentKind
    name: str
    version: str
    licence: str
    is_expression: bool = True
    file: Path | None = None
    needs: frozenset[str] = frozenset()

    @property
    def copyleft(self) -> Copyleft:
        """The family of its licence; of alternatives (OR) the mildest."""
        return min(_family(words) for words in self.licence.split(" OR "))


PROGRAMS = {  # licences as their Debian copyright files state them for the program itself
    "orthanc": "GPL-3.0-or-later",
    "orthanc-dicomweb": "AGPL-3.0-or-later",
    "mricron-data": "BSD-3-Clause",
    "npm": "Artistic-2.0",
}
FILES = {
    "modules/hippocampus/weights.onnx": "CC-BY-SA-4.0",
    "modules/hippocampus/template.npz": "CC-BY-SA-4.0",
    "modules/chest/network/network.onnx": NOT_FOR_COMMERCE,
    "modules/chest/gate.onnx": NOT_FOR_COMMERCE,
    "modules/chest/lungs.onnx": NOT_FOR_COMMERCE,
    "console/static/htmx-4.0.1.min.js": "0BSD",
    "objects/sheet/fonts/Roboto-Regular.ttf": "Apache-2.0",
    "objects/sheet/fonts/Roboto-Bold.ttf": "Apache-2.0",
    "objects/sheet/fonts/NotoSansArabic-Regular.ttf": "OFL-1.1",
    "objects/sheet/fonts/NotoSansDevanagari-Regular.ttf": "OFL-1.1",
    "objects/sheet/fonts/NotoSansHebrew-Regular.ttf": "OFL-1.1",
    "objects/sheet/fonts/NotoSansThai-Regular.ttf": "OFL-1.1",
}

PAGE = """\
# Licences

`hilum licences` prints what is installed with its versions, `hilum sbom` the same as CycloneDX. This page is made from `inventory.py`.

Hilum itself is under the MIT licence. The default installation holds no Python package under the GPL or AGPL. Under the LGPL,
used as they are: {lesser}. Wheels hold libraries of others: those of numpy, scipy and imagecodecs the runtime libraries of
GCC (libgfortran and libgomp under the GPL with the Runtime Library Exception, libquadmath under the LGPL), that of psycopg-binary
libpq and what it needs (libkeyutils is under the LGPL).

Orthanc and its DICOMweb plug-in are programs of their own, under the GPL and AGPL. The demo and the tests start them and talk
to them over the network; `hilum serve` does not need them, and no part of them is in Hilum. The demo fetches the OHIF viewer
(MIT) from the npm registry.
"""  # noqa: E501 - lines of the page


def components() -> tuple[Component, ...]:
    """Everything: Python packages by name, programs of the demo, shipped fonts and weights."""
    return (*python_packages(), *_programs(), *_files())


def hilum_itself() -> Component:
    """Hilum as an installed package, with the packages it names itself."""
    return _python_package(ROOT, _needs()[ROOT])


def python_packages() -> tuple[Component, ...]:
    """The default installation without Hilum itself, by name."""
    needs = _needs()
    return tuple(_python_package(name, needs[name]) for name in sorted(needs.keys() - {ROOT}))


def _needs() -> dict[str, set[str]]:
    """The names of all packages that are installed for Hilum, and of those that each needs."""
    needs: dict[str, set[str]] = {}
    waiting = [(ROOT, WITH)]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        found = needs.setdefault(name, set())
        for needed in _requirements(distribution(name), extras):
            found |= {needed[0]} - {name}
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return needs


def _requirements(
    installed: Distribution, extras: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Name and extras of each package that `installed` needs here, if asked for with `extras`."""
    for line in installed.requires or ():
        needed = Requirement(line)
        wanted = [{"extra": extra} for extra in extras or {""}]
        if needed.marker is None or any(map(needed.marker.evaluate, wanted)):
            if _is_optional(needed) and not any(distributions(name=needed.name)):
                continue  # installed without that extra, as in a hospital without the laboratory
            yield canonicalize_name(needed.name), frozenset(needed.extras)


def _is_optional(needed: Requirement) -> bool:
    """Whether only an extra asks for it."""
    return needed.marker is not None and not needed.marker.evaluate({"extra": ""})


def _python_package(name: str, needs: set[str]) -> Component:
    installed = distribution(name)
    expression = "".join(installed.metadata.get_all("License-Expression") or ())
    return Component(
        ComponentKind.PYTHON,
        name,
        installed.version,
        expression or _licence_in_words(installed),
        is_expression=bool(expression),
        needs=frozenset(needs),
    )


def _licence_in_words(installed: Distribution) -> str:
    """The licence where there is no SPDX expression: the field, else the classifiers."""
    stated = "".join(installed.metadata.get_all("License") or ()).strip()
    if stated and "\n" not in stated:
        return re.sub(r"^OSI Approved :: | \(see .*", "", stated)
    classifiers = installed.metadata.get_all("Classifier") or ()
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: OSI")]
    return " AND ".join(named) or "not stated"


def _family(licence: str) -> Copyleft:
    for family, words in (
        (Copyleft.AGPL, "AGPL|Affero"),
        (Copyleft.GPL, r"\bGPL|(?<!Lesser )(?<!Library )General Public"),
        (Copyleft.LGPL, "LGPL|Lesser|Library General"),
    ):
        if re.search(words, licence, re.IGNORECASE):
            return family
    return Copyleft.NONE


def _programs() -> Iterator[Component]:
    for name, licence in PROGRAMS.items():
        yield Component(ComponentKind.PROGRAM, name, _debian_version(name), licence)


def _debian_version(package: str) -> str:
    if not shutil.which("dpkg-query"):
        return ""
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _files() -> Iterator[Component]:
    for name, licence in FILES.items():
        yield Component(
            ComponentKind.FILE,
            name,
            "",
            licence,
            is_expression=licence != NOT_FOR_COMMERCE,
            file=Path(__file__).parent / name,
        )


def reference() -> str:
    """The licences as a page of the documentation; the versions stand in the lock file."""
    packages = python_packages()
    lesser = ", ".join(f"`{p.name}`" for p in packages if p.copyleft is Copyleft.LGPL)
    lines = PAGE.format(lesser=lesser).splitlines()
    for kind in ComponentKind:
        lines += ["", f"| {kind} | licence |", "|---|---|"]
        lines += [f"| {c.name} | {c.licence} |" for c in components() if c.kind is kind]
    return "\n".join(lines) + "\n"
