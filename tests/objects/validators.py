"""Independent programs that judge our objects; each returns what it complains about."""

import shutil
import subprocess
from pathlib import Path

import pytest

# IHE AIR 6.5.3.1 asks for it; dciodvfy does not know it in this place yet.
ACCEPTED = "/DeviceUID(0018,1002)> - Attribute is not present in standard DICOM IOD"
# What the source does not say (or says unreadably) is left empty, never invented.
NOT_INVENTED = (
    "Missing attribute or value that would be needed to build DICOMDIR",
    "is only permitted to be empty when actually unknown",
)


def dciodvfy(path: Path) -> list[str]:
    return [
        line
        for line in _run("dciodvfy", "-new", str(path)).splitlines()
        if line.startswith(("Error", "Warning", "Abort"))
        and ACCEPTED not in line
        and not any(words in line for words in NOT_INVENTED)
    ]


def dcentvfy(*paths: Path) -> list[str]:
    """Contradictions in a study; it also warns where two IODs place one attribute differently."""
    return [
        line for line in _run("dcentvfy", *map(str, paths)).splitlines() if line.startswith("Error")
    ]


def dsrdump(path: Path) -> str:
    """The report in words."""
    return _run("dsrdump", "+Pl", str(path))


def dsrdump_complaints(path: Path) -> list[str]:
    return [
        line
        for line in dsrdump(path).splitlines()
        # DCMTK knows only some character sets and templates, and says so.
        if line.startswith(("E:", "W:"))
        and "haracter" not in line
        and "not yet supported" not in line
    ]


def dcmftest(path: Path) -> bool:
    return _run("dcmftest", str(path)).startswith("yes")


def dicom_sr_validator(path: Path) -> list[str]:
    # Without the three limits Java's XPath gives up on the rules of the larger templates.
    limits = ("xpathExprOpLimit", "xpathExprGrpLimit", "xpathTotalOpLimit")
    options = " ".join(f"-Djdk.xml.{limit}=0" for limit in limits)
    arguments = ("-donotmatchcase", "-checktemplateid", "-checkcontentitemorder", str(path))
    answer = _run("DicomSRValidator", *arguments, environment={"JAVA_TOOL_OPTIONS": options})
    assert "Root Template Validation Complete" in answer
    return [line for line in answer.splitlines() if line.startswith(("Error", "Warning"))]


def _run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        [found, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**path, **(environment or {})},
    )
    return done.stdout + done.stderr
