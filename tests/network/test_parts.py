import base64
import hashlib
import shutil
import tarfile
from pathlib import Path

import pytest

from hilum.errors import MissingPartError
from hilum.network import parts


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
