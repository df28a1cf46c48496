"""Where studies come from. Every source ends in the same durable inbox.

Senders come to us (`dimse`), folders are taken in once (`folder`); an archive that is watched is a
`Source`: it lists what is new and gives the original bytes. What to do with that (store, tell the
gateway, remember how far we are) is the same for all of them and stands in `hilum.watching`.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hilum.config.kinds import SourceSettings
from hilum.errors import SourceError
from hilum.kinds import SOURCES
from hilum.retrieving import Listed as Listed  # for whoever writes a source


@dataclass(frozen=True)
class Portion:
    """Some of what is missing here, and the cursor that holds once all of it is stored.

    `counts` is how many images the archive has of a series, by Study and Series Instance UID, for
    the series of `instances`. `behind` is how much the archive has listed beyond this portion.
    """

    instances: tuple[Listed, ...]
    cursor: str
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    behind: int = 0
    broken: str = ""  # why earlier news may have been missed; compare the whole archive now


class Holdings(Protocol):
    """Tells what is on this machine already."""

    def holds(self, instance: Listed) -> bool:
        """Whether `instance` need not be fetched: it is here, in quarantine, or our own result."""

    def md5(self, instance: Listed) -> str | None:
        """Hexadecimal MD5 of the file we were given for `instance`, None if we keep none."""


class Source(Protocol):
    """An archive that is asked again and again, opened with the settings of its class `settings`.

    Each kind is one file beside this one, or in another package: its settings and its class, found
    by an entry point of the group `hilum.sources`. What is slow to import belongs into the methods.
    Every method raises `SourceDelayed` (asked again soon) or `SourceRefused` (a person must act).
    `fetch` and `describe` are called from several threads at once, everything else from one.
    """

    name: str
    lively_pause: float  # seconds between two polls while images come, if it is the shorter pause

    def describe(self) -> str:
        """What answers there, in one line for a person."""

    def resume(self, cursor: str, holdings: Holdings) -> str:
        """Go on after `cursor` ("" at the first use); return the cursor to be written down.

        Called again after any trouble: connections and the password are made anew.
        """

    def news(self) -> Iterator[Portion]:
        """Yield what the archive has listed since, until it has no more for now."""

    def sweep(self) -> Iterator[Portion]:
        """Compare everything that `since` covers with what is here, in short steps.

        Portions may be empty: they give the caller the time to look at the news.
        """

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        """The original DICOM Part 10 file; None if the archive does not hold it any longer.

        An answer of more than `largest` bytes is not read to its end: `SourceError`.
        """

    def close(self) -> None:
        """End the connections to the archive."""


def answer_of(settings: SourceSettings) -> tuple[bool, str]:
    """Whether the archive answers as it should, and what, or why not, in one line."""
    started = time.monotonic()
    try:
        source = open_source(settings)
        text = source.describe()
        source.close()
    except SourceError as error:
        return False, str(error)
    return True, f"{text}, {1000 * (time.monotonic() - started):.0f} ms"


def open_source(settings: SourceSettings) -> Source:
    """The source that `settings` describe."""
    source: Source = SOURCES.load(settings.kind)(settings)
    return source
