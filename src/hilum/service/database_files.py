"""Whether the files of our databases are those with which the service started."""

from pathlib import Path

from hilum.config.site import ENGINE, RECORDS, Site
from hilum.errors import RECOVER, RecordsUnusable


class DatabaseFiles:
    """The files of our databases, as they were when the service started."""

    def __init__(self, site: Site) -> None:
        self._paths = () if site.database else (site.data / RECORDS, site.data / ENGINE)
        self._known: dict[Path, int] = {}

    def require_same(self) -> None:
        """Raise `RecordsUnusable` if one of them was deleted or replaced since."""
        for path in self._paths:
            try:
                found = path.stat().st_ino
            except FileNotFoundError:
                found = 0
            if self._known.get(path, found) != found:
                text = f"{path} was deleted or replaced while Hilum ran, so it has stopped"
                text = f"{text}: {RECOVER}"
                raise RecordsUnusable(f"{text}; then start it again")
            if found:
                self._known[path] = found
