"""What the radiologist sees of a study of films: films, pictures and report, in OHIF."""

import io
from pathlib import Path

import pypdf
import pytest

import browser
from hilum.findings import Refusal
from hilum.objects import write_objects
from hilum.transport import sender
from hilum_lab.network import parts
from hilum_lab.network.viewer import Viewer
from objects import films
from tests.archives import Orthanc

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed"),
]


def test_films_pictures_and_report_open(tmp_path: Path) -> None:
    shots = [films.Shot("CR", 12), films.Shot("CR", 12, True, series=2, view="AP")]
    study = films.write_films(tmp_path, [films.drawn(600)] * 2, shots)
    first, second = (instance.sop_instance_uid for instance in films.instances(study))
    found = films.findings_of(first, films.shape_of(study))
    refusal = Refusal("cropped", "The film does not show the whole chest.", second)
    objects = write_objects(films.analysis_of(study, *found, refusal))
    for kind, dataset in objects:
        path = tmp_path / f"{kind}-{dataset.InstanceNumber}.dcm"
        dataset.save_as(path, enforce_file_format=True)
    with (
        Orthanc(tmp_path / "pacs") as pacs,
        Viewer(tmp_path / "viewer", pacs.url, dist=parts.ohif()) as viewer,
        browser.Reader() as reader,
    ):
        sender.send(sender.dicom_files(tmp_path), (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
        series = reader.open_study(viewer.study_url(study.uid))
        assert series[:2] == ["Chest PA", "Chest AP"]  # the films come before what we say of them
        picture, report, measurements = (
            next(name for name in series if word in name)
            for word in ("picture", "report", "measurements")
        )
        reader.show(picture)
        assert reader.images() == 3
        assert reader.picture().std() > 20
        document = pypdf.PdfReader(io.BytesIO(reader.open_pdf(report)))
        assert len(document.pages) == 3
        reader.show_nothing(measurements)  # OHIF draws regions, and the report of a film has none
        reader.show("Chest AP")
        assert reader.picture().std() > 20
        assert reader.errors == []
