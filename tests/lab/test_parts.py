import base64
import hashlib
import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from hilum.errors import MissingPartError
from hilum_lab.network import parts


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    """A package as npm packs it, with one file of each kind."""
    for name in ("dist/index.html", "dist/ort/engine.wasm", "src/code.ts"):
        file = tmp_path / "package" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    return path


def integrity(path: Path) -> str:
    digest = hashlib.sha512(path.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def test_right_digest_passes_and_a_changed_byte_does_not(tarball: Path) -> None:
    pinned = integrity(tarball)
    parts.verify(tarball, pinned)
    tarball.write_bytes(tarball.read_bytes() + b"\0")
    with pytest.raises(MissingPartError, match="digest differs"):
        parts.verify(tarball, pinned)


def test_only_the_built_files_are_unpacked(tarball: Path, tmp_path: Path) -> None:
    parts._unpack(tarball, tmp_path / "out")
    files = [p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert files == [Path("package/dist/index.html")]


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"package/dist/{name}")
    info.type, info.size, info.linkname = kind, size, "../../../outside"
    return info


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (member("link", tarfile.SYMTYPE), "holds a link"),
        (member("link", tarfile.LNKTYPE), "holds a link"),
        (member("pipe", tarfile.FIFOTYPE), "a device"),
        (member("disk", tarfile.BLKTYPE), "a device"),
        (member("../../../outside"), "leads out of its folder"),
        (member("large", size=11), "more than 2 files or"),
        (member("third"), "more than 2 files or"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else None,
)
def test_an_odd_member_ends_the_unpacking(
    odd: tarfile.TarInfo, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_FILES", 2)
    monkeypatch.setattr(parts, "MOST_BYTES", 10)
    path = tmp_path / "odd.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for info in (member("first"), member("second"), odd):
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    with pytest.raises(MissingPartError, match=message):
        parts._unpack(path, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep" / "outside").exists()
    assert not (tmp_path / "outside").exists()


def test_what_is_unpacked_has_the_owner_and_mode_of_any_new_file(tmp_path: Path) -> None:
    info = member("tool")
    info.mode, info.uid = 0o6777, 1
    path = tmp_path / "odd.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(info)
    parts._unpack(path, tmp_path / "out")
    made = (tmp_path / "out" / info.name).stat()
    assert not made.st_mode & 0o7111
    assert made.st_uid == tmp_path.stat().st_uid


def test_the_python_of_debian_can_unpack(tarball: Path, tmp_path: Path) -> None:
    """Python 3.11.2 has no filter for `extractall`; the demo of a new user ended there."""
    debian = Path("/usr/bin/python3")
    asked = "import sys; print(sys.version_info[:2])"
    if not debian.exists() or str(sys.version_info[:2]) != _said_by(debian, asked):
        pytest.skip("no Python of Debian that can use the installed packages")
    folders = [str(Path(parts.__file__).parents[2]), sysconfig.get_path("purelib")]
    program = f"""
import sys; sys.path += {folders}
from pathlib import Path
from hilum_lab.network import parts
parts._unpack(Path({str(tarball)!r}), Path({str(tmp_path / "out")!r}))
"""
    assert _said_by(debian, program) == ""
    assert (tmp_path / "out/package/dist/index.html").read_text() == "dist/index.html"


def _said_by(python: Path, program: str) -> str:
    finished = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_nothing_is_kept_of_a_wrong_package(
    tarball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\ncp "{tarball}" .\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")
    with pytest.raises(MissingPartError, match="digest differs"):
        parts.ohif(tmp_path / "parts")
    assert list((tmp_path / "parts").iterdir()) == []


def test_missing_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("npm") is None
    with pytest.raises(MissingPartError, match="apt-get install npm"):
        parts.ohif(tmp_path / "parts")


def test_parts_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_PARTS", str(tmp_path))
    assert parts.folder_of_parts() == tmp_path
    monkeypatch.delenv("HILUM_PARTS")
    assert parts.folder_of_parts().name == ".parts"
