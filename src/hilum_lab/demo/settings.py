"""The settings of Hilum in the demonstration."""

from pathlib import Path
from typing import Any

from hilum.config.fields import STUDY


def demo_settings(folder: Path, ports: dict[str, int], series: str) -> dict[str, Any]:
    """The settings of the demo: the network of both seeds, results back by C-STORE.

    `series` is what the series to be measured is called, as a regular expression.
    """
    pacs = f"http://127.0.0.1:{ports['pacs_http']}"
    settings: dict[str, Any] = {
        "data": str(folder / "hilum"),
        "receiver": {"port": ports["receiver"]},
        "console": {"port": ports["console"]},
        "source": [
            {"name": "films", "kind": "orthanc", "url": pacs, "modalities": ["CR", "DX"]},
            # it routes, too, what comes by DICOM: only what routing loses is fetched
            {"name": "pacs", "kind": "orthanc", "url": pacs, "wait_seconds": 10, "poll_seconds": 5},
        ],
        "destination": [
            {
                "name": "pacs",
                "kind": "dimse",
                "port": ports["pacs_dicom"],
                "viewer": "ohif",
                "viewer_url": f"http://127.0.0.1:{ports['viewer']}/viewer?StudyInstanceUIDs={STUDY}",
            }
        ],
        "rule": [
            {
                "module": "hippocampal-volume",
                "series": {"SeriesDescription": series} if series else {},
                "send_to": ["pacs"],
            },
            {"module": "chest-radiograph", "send_to": ["pacs"]},
        ],
    }
    return settings
