"""The promises that every destination must keep."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom.uid import UID

from hilum.answers import Acceptance
from hilum.destinations import Destination
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.results import DICOM, Result, is_one_of
from hilum.wording import counted

SHOWN_WITHIN = 30.0  # seconds; archives index what they stored in the background


def results_of(files: Iterable[Path]) -> list[Result]:
    """DICOM Part 10 files as results, for `check_destination` and the like."""
    instances = [Instance.read(path) for path in files]
    return [
        Result("sr", DICOM, i.sop_instance_uid, i.path, i.study_uid, workitem_id="1.2.3")
        for i in instances
    ]


def check_destination(destination: Destination, results: Sequence[Result]) -> None:
    """Check that `destination` keeps the promises that results depend on.

    Parameters
    ----------
    destination
        Empty of `results`, and reachable.
    results
        At least one, of media types that it takes.
    """
    assert destination.name, "a destination has a name"
    assert all(is_one_of(result.media_type, destination.takes) for result in results), (
        "`takes` has the media types of what it is sent"
    )
    assert destination.is_reachable(), "it answers when it is called"
    assert list(destination.ask(results).missing) == list(results), (
        "before sending, every result is missing, in the order asked"
    )
    _send(destination, results)
    _wait_until_shown(destination, results)
    _send(destination, results)  # a crash between sending and writing it down repeats the sending
    _wait_until_shown(destination, results)
    destination.filing(results[0].study_uid)
    checks = list(destination.check())
    assert checks and all(one.good and one.what and one.text for one in checks), (
        f"each thing that is checked is named, and goes well: {checks}"
    )
    with TemporaryDirectory() as folder:
        sibling = _sibling(results[0], Path(folder))
        assert list(destination.ask([*results, sibling]).missing) == [sibling], (
            "a result that was never sent is missing, also one beside others that were: read back "
            "each result, not its study or series"
        )


def _send(destination: Destination, results: Sequence[Result]) -> None:
    answers = list(destination.send(results))
    assert [answer.result for answer in answers] == list(results), (
        "one answer comes for each result, in the order given"
    )
    assert all(answer.acceptance is Acceptance.TAKEN for answer in answers), f"taken: {answers}"


def _wait_until_shown(destination: Destination, results: Sequence[Result]) -> None:
    deadline = time.monotonic() + SHOWN_WITHIN
    while missing := destination.ask(results).missing:
        lacking = f"{len(missing)} of {counted(len(results), 'sent result')} not shown"
        assert time.monotonic() < deadline, f"{lacking} after {SHOWN_WITHIN:.0f} s"
        time.sleep(0.2)


def _sibling(result: Result, folder: Path) -> Result:
    """A result beside `result`, with an identity of its own."""
    identity = derived_uid("check_destination", result.identity)
    path = folder / "sibling"
    if result.media_type == DICOM:
        dataset = pydicom.dcmread(result.path)
        dataset.SOPInstanceUID = identity
        dataset.file_meta.MediaStorageSOPInstanceUID = UID(identity)
        dataset.save_as(path)
    else:
        path.write_bytes(result.path.read_bytes())
    return replace(result, identity=identity, path=path)
