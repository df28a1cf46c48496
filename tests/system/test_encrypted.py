"""A study from the scanner to the PACS and back by mutual DICOM TLS on every way."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import mr_slices, write
from hilum.cli import app
from hilum.config.tls import Tls
from hilum.dicom.instance import Instance
from hilum.errors import DeliveryRefused
from hilum.transport import sender
from hilum_lab.network.processes import available_port
from plugin import install_moody
from tests.archives import Orthanc

from .site import running


def test_every_way_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PACS answers the request for commitment to our receiver, by TLS, too."""
    install_moody(tmp_path / "plugin", monkeypatch)
    made = tmp_path / "trial"
    words = ["certificates", str(made)]
    for name in ("127.0.0.1", "pacs", "scanner"):
        words += ["--host", name]
    assert CliRunner().invoke(app, words).exit_code == 0

    def files(name: str) -> dict[str, Path]:
        return {"certificate_file": made / f"{name}.pem", "key_file": made / f"{name}.key"}

    ours = {"ca_file": made / "ca.pem", **files("127.0.0.1")}
    listener = available_port()
    hilum_as_modality = {
        "AET": "HIPPOAI",
        "Host": "127.0.0.1",
        "Port": listener,
        "UseDicomTls": True,
    }
    pacs_settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(made / "pacs.pem"),
        "DicomTlsPrivateKey": str(made / "pacs.key"),
        "DicomTlsTrustedCertificates": str(made / "ca.pem"),
        "DicomTlsRemoteCertificateRequired": True,
        "DicomModalities": {"hilum": hilum_as_modality},
    }
    with Orthanc(tmp_path / "pacs", settings=pacs_settings) as pacs:
        destination = {
            "name": "pacs",
            "kind": "dimse",
            "port": pacs.dicom_port,
            "ae_title": pacs.ae_title,
            "proof": "commitment",
            "tls": {**ours, "check_host": False},
        }
        with running(
            tmp_path,
            receiver={"port": listener, "low_water_mb": 0, "tls": ours},
            destination=[destination],
            rule=[{"module": "moody", "send_to": ["pacs"]}],
        ) as hilum:
            scan = write(mr_slices("good", "encrypted", 3), tmp_path / "scan")
            with pytest.raises(DeliveryRefused, match="it speaks TLS"):
                sender.send(scan, hilum.listener)
            scanner = Tls(ca_file=made / "ca.pem", **files("scanner"))
            assert not sender.send(scan, hilum.listener, tls=scanner).failed
            item = hilum.settled(Instance.read(scan[0]).study_uid).workitems[0]
            [delivery] = item.deliveries
            assert delivery.state == "committed", delivery.reason
