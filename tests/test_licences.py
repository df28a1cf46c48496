"""The list of parts is true: it is the lock file, holds no GPL, and is valid CycloneDX."""

import json
import re
import runpy
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import hilum
from hilum.inventory import (
    FILES,
    PROGRAMS,
    Component,
    ComponentKind,
    Copyleft,
    components,
    hilum_itself,
    python_packages,
    reference,
)
from hilum.sbom import sbom

ROOT = Path(__file__).parents[1]
LOCK = dict(re.findall(r"^([a-z][\w.-]*)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))


def test_the_packages_are_those_of_the_lock_file() -> None:
    assert {package.name: package.version for package in python_packages()} == LOCK


def test_what_only_an_extra_asks_for_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hospital that leaves out the laboratory; what Hilum itself needs must be there."""
    about = tmp_path / "hilum-1.dist-info"
    about.mkdir()
    needs = ["numpy", "absent; extra == 'lab'", "setuptools; extra == 'setup'"]
    lines = ["Metadata-Version: 2.1", "Name: hilum", "Version: 1"]
    lines += [f"Requires-Dist: {line}" for line in needs]
    (about / "METADATA").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [package.name for package in python_packages()] == ["numpy", "setuptools"]
    (about / "METADATA").write_text("\n".join([*lines, "Requires-Dist: absent"]))
    with pytest.raises(PackageNotFoundError):
        python_packages()


def test_no_package_of_the_default_installation_is_under_gpl_or_agpl() -> None:
    packages = python_packages()
    assert {p.name for p in packages if p.copyleft > Copyleft.LGPL} == set()
    assert {p.name for p in packages if p.copyleft is Copyleft.LGPL} == {
        "psycopg",
        "psycopg-binary",
    }
    assert {p.name for p in packages if not p.licence or p.licence == "not stated"} == set()


@pytest.mark.parametrize(
    ("licence", "family"),
    [
        ("GPL V3.0", Copyleft.GPL),
        ("GPL-2.0-or-later", Copyleft.GPL),
        ("GNU General Public License v3 (GPLv3)", Copyleft.GPL),
        ("MIT AND GPL-3.0-only", Copyleft.GPL),
        ("MIT OR GPL-3.0-only", Copyleft.NONE),
        ("LGPL-3.0-only", Copyleft.LGPL),
        ("GNU Lesser General Public License v3 (LGPLv3)", Copyleft.LGPL),
        ("GNU Library or Lesser General Public License (LGPL)", Copyleft.LGPL),
        ("AGPL-3.0-or-later", Copyleft.AGPL),
        ("GNU Affero General Public License v3", Copyleft.AGPL),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", Copyleft.NONE),
        ("Mozilla Public License 2.0 (MPL 2.0)", Copyleft.NONE),
    ],
)
def test_the_family_of_a_licence(licence: str, family: Copyleft) -> None:
    assert Component(ComponentKind.PYTHON, "one", "1", licence).copyleft is family


def test_the_bill_is_valid_and_holds_exactly_the_lock_file() -> None:
    bill = sbom(hilum_itself(), components(), at=1_800_000_000)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    assert problem is None, problem
    packages = [c for c in bill["components"] if c["bom-ref"].startswith("pkg:pypi/")]
    assert {c["name"]: c["version"] for c in packages} == LOCK
    assert bill["metadata"]["timestamp"] == "2027-01-15T08:00:00Z"
    known = {c["bom-ref"] for c in (*packages, bill["metadata"]["component"])}
    needed = {ref for entry in bill["dependencies"] for ref in entry["dependsOn"]}
    assert {entry["ref"] for entry in bill["dependencies"]} == known
    assert needed == known - {
        bill["metadata"]["component"]["bom-ref"]
    }  # each is there for a reason


def test_the_serial_number_tells_installations_apart() -> None:
    parts = components()
    serial = {
        sbom(hilum_itself(), some, at)["serialNumber"]
        for some, at in ((parts, 1), (parts, 2), (parts[:-1], 1))
    }
    assert len(serial) == 2


def test_every_font_script_and_network_that_is_shipped_is_listed() -> None:
    package = Path(hilum.__file__).parent
    shipped = {
        str(file.relative_to(package))
        for kind in ("onnx", "npz", "ttf", "otf", "woff2", "min.js")
        for file in package.rglob(f"*.{kind}")
    }
    assert shipped == set(FILES)


def test_the_programs_are_those_that_the_launcher_installs_for_the_demo() -> None:
    wanted = runpy.run_path(str(ROOT / "hilum"))["SYSTEM"]["demo"]
    assert set(PROGRAMS) == set(wanted.values())


def test_the_page_is_the_list() -> None:
    assert (ROOT / "docs/reference/licences.md").read_text() == reference(), (
        "write it anew from hilum.inventory.reference()"
    )


def test_the_commands_print_both() -> None:
    def said(*words: str) -> str:
        command = [sys.executable, "-m", "hilum", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    table = said("licences")
    assert all(part.name in table for part in components())
    assert "Python packages under the GPL: none" in table
    assert {line["name"] for line in json.loads(said("licences", "--json"))} == {
        part.name for part in components()
    }
    assert json.loads(said("sbom"))["bomFormat"] == "CycloneDX"
