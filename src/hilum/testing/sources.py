"""The promises that every source must keep."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from hilum.dicom.instance import Instance
from hilum.dicom.part10 import body
from hilum.errors import SourceError
from hilum.sources import Listed, Portion, Source

LARGEST = 1 << 30  # bytes
SHOWN_WITHIN = 30.0  # seconds; archives index what they stored in the background


class _Few:
    """Holdings from which a test can take things away again."""

    def __init__(self) -> None:
        self.uids: set[str] = set()

    def holds(self, instance: Listed) -> bool:
        return instance.sop_instance_uid in self.uids

    def md5(self, instance: Listed) -> str | None:
        return None


def check_source(
    open_source: Callable[[], Source],
    deposit: Callable[[Sequence[Path]], None],
    remove: Callable[[Path], None],
    files: Sequence[Path],
) -> None:
    """Check that a source keeps the promises the inbox depends on.

    Parameters
    ----------
    open_source
        Opens the source anew, as a restart does; it fetches what is new since the first use.
    deposit, remove
        Put DICOM Part 10 files into the archive, take one out of it.
    files
        At least three, of more than one series, not in the archive yet, dated today.
    """
    holdings = _Few()
    source = open_source()
    assert source.name, "a source has a name"
    assert source.describe(), "a source says what answers"
    first = source.resume("", holdings)
    assert not _instances(source.news()), "nothing is new at the first use"
    deposit(files)
    sent = {(i := Instance.read(path)).sop_instance_uid: i for path in files}
    portions = _until_listed(source, set(sent))
    listed = {i.sop_instance_uid: i for i in _instances(portions)}
    for uid, instance in listed.items():
        _check_fetched(source, instance, sent[uid])
    images = Counter((i.study_uid, i.series_uid) for i in sent.values())
    counted = {series: n for p in portions for series, n in p.counts.items()}
    assert counted == images, "the archive's number of images is told for each series"

    holdings.uids = set(sent)
    assert not _instances(source.news()), "what is here is not listed again"
    assert not _instances(source.sweep()), "what is here is not missed by a sweep"
    last = portions[-1].cursor
    source.close()

    holdings.uids = set()
    restarted = open_source()
    restarted.resume(first, holdings)
    again = {i.sop_instance_uid for i in _instances(restarted.news())}
    assert again == set(sent), "a crash before the cursor was written down loses nothing"
    restarted.close()

    uid = next(iter(sent))
    holdings.uids = set(sent) - {uid}
    late = open_source()
    late.resume(last, holdings)
    found = _instances(late.news()) or _instances(late.sweep())
    assert [i.sop_instance_uid for i in found] == [uid], "what the news missed is found by a sweep"
    remove(sent[uid].path)
    assert late.fetch(listed[uid], LARGEST) is None, "an instance that is gone is None"
    late.close()


def _instances(portions: Iterable[Portion]) -> list[Listed]:
    return [instance for portion in portions for instance in portion.instances]


def _until_listed(source: Source, uids: set[str]) -> list[Portion]:
    """The portions of the news that list all of `uids`, each instance once."""
    deadline = time.monotonic() + SHOWN_WITHIN
    portions: list[Portion] = []
    while {i.sop_instance_uid for i in _instances(portions)} != uids:
        assert time.monotonic() < deadline, f"not all is listed after {SHOWN_WITHIN:.0f} s"
        portions += source.news()
    return portions


def _check_fetched(source: Source, listed: Listed, sent: Instance) -> None:
    assert (listed.study_uid, listed.series_uid) == (sent.study_uid, sent.series_uid)
    with suppress(SourceError):
        assert not source.fetch(listed, 100), "an answer that is too large is an error"
    content, original = source.fetch(listed, LARGEST), sent.path.read_bytes()
    assert content is not None, "what is listed can be fetched"
    start, syntax = body(content)
    start_of_original, syntax_of_original = body(original)
    assert syntax == syntax_of_original, "the transfer syntax is the original one"
    assert content[start:] == original[start_of_original:], "the bytes are the original ones"
