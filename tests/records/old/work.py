"""The work that a Hilum of commit 6b943b8 was killed in: what both it and the tests know of it.

Imported by that Hilum, too (make.py): nothing of a later one may be used here.
"""

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from factory import mr_slices

HERE = Path(__file__).parent
STOPPED = 1_795_000_000.0  # when it was killed, in s since 1970; times in the records are before it

# The module waits on an image of five slices, until a file "go" lies beside it.
MODULE = """
    import pathlib, time
    from hilum import Input, Measurement, Note, Segment, codes

    class Module:
        name, version = "counting", "1"
        needs = Input(modality="MR")

        def run(self, series):
            volume = series.volume()
            slices = len(volume.array)
            while slices == 5 and not (pathlib.Path(__file__).parent / "go").exists():
                time.sleep(0.05)
            bright = Segment(volume.with_array(volume.array > 450), codes.BRAIN, "Bright")
            yield bright
            yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)
            yield Note(f"{slices} slices")
"""

# By study, its destination and its images. The rule of a study names it by its description.
STUDIES = {
    "finished": ("day", 3),
    "fresh": ("day", 4),  # finished, too, but not silent for long enough to be settled
    "delivering": ("night", 3),  # that archive is down
    "parked": ("strict", 3),  # that archive refuses our AE title
    "running": ("day", 5),
    "scheduled": ("day", 3),  # behind it
    "half": ("day", 6),  # of which 3 came, with a gap
}
CAME = {"half": (0, 1, 3)}
QUIET = {"fresh": 600.0, "half": 600.0}


def images(study: str) -> list[Dataset]:
    """All images of a study, also those that did not come."""
    _, count = STUDIES[study]
    slices = mr_slices(study, f"old {study}", count, (24, 20), description=study)
    for ds in slices:
        ds.StudyDescription = study
    return slices


def came(study: str) -> list[Dataset]:
    """Those that came."""
    slices = images(study)
    return [slices[n] for n in CAME.get(study, range(len(slices)))]


def settings(ports: dict[str, int]) -> dict[str, Any]:
    """The rules, and the destinations at `ports`; of results, they get the measurement report."""
    places = sorted({destination for destination, _ in STUDIES.values()})
    return {
        "destination": [
            {
                "name": name,
                "kind": "dimse",
                "port": ports[name],
                "ae_title": "ARCHIVE",
                "objects": ["sr"],
            }
            for name in places
        ],
        "rule": [
            {
                "module": "counting",
                "study": {"StudyDescription": f"^{study}$"},
                "series": {"SeriesDescription": f"^{study}$"},
                "send_to": [destination],
                "quiet_seconds": 1.0,
                "give_up_seconds": 5.0,  # the pause between the halves is longer: a restart
                "study_quiet_seconds": QUIET.get(study, 2.0),
            }
            for study, (destination, _) in STUDIES.items()
        ],
        "priors": {"enabled": False},
    }
