"""What every page and every resource of the API works with."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from anyio import CapacityLimiter
from fastapi import Depends, Request

from hilum.audit import Auditor
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.config.versions import SettingsVersions
from hilum.console.kept import Kept
from hilum.console.known import KnownModules
from hilum.console.patience import Patience
from hilum.console.rendering import Rendering
from hilum.people.everybody import Everybody
from hilum.records import Records
from hilum.records.search import StudyQuery
from hilum.uploading.uploads import Uploads

HASHES_AT_ONCE = 2  # each takes 64 MiB
ABROAD_AT_ONCE = 4  # questions to the provider of OpenID Connect, which may be slow
LOOKUPS_AT_ONCE = 4  # of sessions and tokens; they never wait for pages


class FetchedStudy(NamedTuple):
    """A study that somebody has fetched: what it was called, and the number of the request."""

    wanted: str
    request: int


@dataclass(frozen=True)
class Desk:
    """The settings, the records and the installed modules.

    `file` is where the settings stand, None where Hilum was given them otherwise.
    `rendering` makes pages.
    `patience` is that of watchdogs and monitoring, which must not wait behind people. `everybody`
    is asked in few threads: `hashing` for passwords, `lookups` for the rest; `abroad` is for the
    provider that people may sign in at. Whatever a person does, and each page with patient data, is
    noted by `auditor`. `uploads` are those under way. `finds` are what people look for, and
    `fetches` what they have fetched, as they typed it.
    """

    site: Site
    records: Records
    modules: KnownModules
    rendering: Rendering
    everybody: Everybody
    auditor: Auditor
    uploads: Uploads
    file: SettingsFile | None = None
    hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(HASHES_AT_ONCE))
    abroad: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(ABROAD_AT_ONCE))
    lookups: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(LOOKUPS_AT_ONCE))
    patience: Patience = field(default_factory=Patience)
    finds: Kept[StudyQuery] = field(default_factory=Kept)
    fetches: Kept[tuple[FetchedStudy, ...]] = field(default_factory=Kept)

    @property
    def versions(self) -> SettingsVersions:
        """The settings that were followed so far."""
        return SettingsVersions(self.site.data)


def _desk_of(request: Request) -> Any:
    return request.app.state.desk


OurDesk = Annotated[Desk, Depends(_desk_of)]
