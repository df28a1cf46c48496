"""An archive that speaks no TLS, behind Debian's stunnel: mutual TLS as many hospitals add it."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hilum.answers import Acceptance
from hilum.cli import app
from hilum.destinations import Destination, open_destination
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.testing import check_destination, results_of
from hilum_lab.network.processes import Child, available_port
from tests.archives import Orthanc
from tests.patience import PATIENCE
from tests.synthetic import wait_for_port, write_series

HOST = "127.0.0.1"
DOWNLOAD_SECONDS = 60.0


def stunnel(folder: Path) -> str:
    """The program of the machine, or one unpacked into `folder`; skips where there is none."""
    if found := shutil.which("stunnel4"):
        return found
    try:
        for words in (["apt-get", "download", "stunnel4"], ["sh", "-c", "dpkg -x *.deb ."]):
            subprocess.run(
                words, cwd=folder, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS
            )
    except (OSError, subprocess.SubprocessError):
        pytest.skip("stunnel is not installed, and cannot be had: apt-get install stunnel4")
    return str(folder / "usr" / "bin" / "stunnel4")


@dataclass(frozen=True)
class Behind:
    """An Orthanc behind a stunnel, and the certificates of both sides."""

    orthanc: Orthanc
    port: int
    folder: Path

    def destination(self, **tls: Any) -> Destination:
        """One that calls it through the stunnel, with our certificate unless `tls` says so."""
        ours = {
            "certificate_file": self.folder / "hilum.pem",
            "key_file": self.folder / "hilum.key",
        }
        settings = DimseDestinationSettings(
            name="pacs",
            port=self.port,
            ae_title=self.orthanc.ae_title,
            timeout_seconds=PATIENCE,
            tls=tls.get("tls", {"ca_file": self.folder / "ca.pem", **ours}),
        )
        settings.check()
        return open_destination(settings)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("stunnel")
    program, port = stunnel(folder), available_port()
    made = folder / "trial"
    words = ["certificates", str(made), "--host", HOST, "--host", "hilum"]
    assert CliRunner().invoke(app, words).exit_code == 0
    modalities = {"hilum": ["HIPPOAI", HOST, available_port()]}
    with Orthanc(folder / "orthanc", settings={"DicomModalities": modalities}) as orthanc:
        (folder / "stunnel.conf").write_text(
            f"foreground = yes\npid =\n[dicom]\naccept = {HOST}:{port}\n"
            f"connect = {HOST}:{orthanc.dicom_port}\ncert = {made}/{HOST}.pem\n"
            f"key = {made}/{HOST}.key\nCAfile = {made}/ca.pem\nverifyChain = yes\n"
        )
        child = Child("stunnel", [program, folder / "stunnel.conf"], folder / "stunnel.log")
        try:
            wait_for_port(port)
            yield Behind(orthanc, port, made)
        finally:
            child.kill()


def test_the_contract(behind: Behind, tmp_path: Path) -> None:
    results = results_of(write_series(tmp_path / "scan", 3))
    check_destination(behind.destination(), results)


def test_what_is_wrong_is_said(behind: Behind, tmp_path: Path) -> None:
    results = results_of(write_series(tmp_path / "scan", 1, size=8))
    for tls, cure in (
        ({"ca_file": behind.folder / "ca.pem"}, "it wants a certificate of ours: set"),
        ({}, "its certificate is not trusted"),
        (None, "it speaks TLS, and we call it without: set tls"),
    ):
        with pytest.raises(DeliveryRefused, match=cure):
            list(behind.destination(tls=tls).send(results))


def test_an_archive_that_is_down_behind_it_is_waited_for(behind: Behind, tmp_path: Path) -> None:
    """The stunnel itself speaks TLS as always."""
    results = results_of(write_series(tmp_path / "scan", 1, size=8))
    destination = behind.destination()
    behind.orthanc.kill()
    try:
        assert not destination.is_reachable()
        with pytest.raises(DeliveryDelayed):
            list(destination.send(results))
    finally:
        behind.orthanc.start()
    assert {answer.acceptance for answer in destination.send(results)} == {Acceptance.TAKEN}
