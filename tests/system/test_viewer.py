"""What the radiologist sees: our results of the sample exam, in OHIF, in a real Chromium."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdf
import pytest

import browser
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.inbox import Inbox
from hilum.records.views import WorkitemView
from hilum.transport import sender
from hilum_lab.network import exam, parts
from hilum_lab.network.viewer import Viewer

from .site import clinical_network

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed"),
]

SENT = ("01", "05")  # the localizer, and the series that is analysed; of five

Seen = tuple[browser.Reader, WorkitemView, Series, Path]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, sample_exam: Path) -> Iterator[Seen]:
    """The sample exam analysed and delivered, and a reader who has opened it."""
    folder = tmp_path_factory.mktemp("viewer")
    files = [file for name in SENT for file in sender.dicom_files(sample_exam / name)]
    with (
        clinical_network(folder) as (pacs, hilum),
        Viewer(folder / "viewer", pacs.url, dist=parts.ohif()) as viewer,
        browser.Reader() as reader,
    ):
        sender.send(files, (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
        (item,) = hilum.settled(exam.study_uid()).workitems
        incoming = Inbox(hilum.site.data).study_folder(exam.study_uid())
        crop = [i for i in map(Instance.read, incoming.glob("*.dcm")) if not i.is_own_result]
        wanted = item.chosen_series[0].series_uid
        series = Series.of([i for i in crop if i.series_uid == wanted])
        reader.open_study(viewer.study_url(exam.study_uid()))
        keep(reader, "study")
        yield reader, item, series, hilum.site.data / "results" / item.id


def series_called(reader: browser.Reader, word: str) -> str:
    labels = reader.page.locator("[data-cy=series-description-label]").all_inner_texts()
    (label,) = (text for text in labels if word in text)
    return label


def test_the_outline_lies_on_the_right_voxels(seen: Seen) -> None:
    reader, _item, series, results = seen
    reader.show("HippoCrop")
    description = series_called(reader, "segmentation")
    reader.load_segmentation(description)
    shown = reader.voxels(description)
    for segment in exchange.load(results).segments:
        expected = {
            instance.sop_instance_uid: np.flatnonzero(plane).tolist()
            for instance, plane in zip(series.instances, segment.mask.array, strict=True)
            if plane.any()
        }
        assert shown[segment.label] == expected, segment.label
    reader.hide_segment(description, "Hippocampus")
    reader.go_to(reader.largest_slice(description))
    keep(reader, "segmentation")


def test_the_report_draws_and_states_the_volumes(seen: Seen) -> None:
    reader, item, _series, _results = seen
    texts = " ".join(reader.open_report(series_called(reader, "measurements")))
    keep(reader, "report")
    assert texts.count("Volume:") == 1  # where one part is all of the organ, one label is enough
    (part,) = (f for f in item.findings if getattr(f, "of", None) == "Hippocampus, anterior")
    assert f"Volume: {1000 * part.value:.0f}" in texts.replace(",", "")


def test_the_picture_and_the_pdf_are_there(seen: Seen) -> None:
    reader, *_ = seen
    reader.show(series_called(reader, "picture"))
    keep(reader, "picture")
    assert reader.picture().std() > 20
    text = pypdf.PdfReader(io.BytesIO(reader.open_pdf(series_called(reader, "report")))).pages[0]
    keep(reader, "pdf")
    assert "not for diagnosis" in text.extract_text().lower()


def keep(reader: browser.Reader, name: str) -> None:
    """Save a screenshot below $HILUM_PICTURES, for people to look at."""
    if folder := os.environ.get("HILUM_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        reader.screenshot(Path(folder) / f"{name}.png")
