"""The settings that pages show and work by are exchanged while the console runs.

The service begins the console anew only where it has to listen, or to load modules, in another way.
"""

import logging
from dataclasses import replace

from fastapi import FastAPI

from hilum.config import site_in
from hilum.config.site import Site
from hilum.console.desk import Desk
from hilum.errors import ConfigurationError

log = logging.getLogger(__name__)


class Exchange:
    """Has an application work by the newest version of the settings. Call `turn` now and then."""

    def __init__(self, made: FastAPI) -> None:
        self._made = made
        desk: Desk = made.state.desk
        self._versions = desk.versions
        self._number = self._newest()

    def turn(self) -> None:
        """Look whether there is another version."""
        number = self._newest()
        if number == self._number:
            return
        self._number = number
        version = self._versions.one(number)
        if version is None:
            return
        try:
            exchange(self._made, site_in(version.text))
        except ConfigurationError as error:
            log.error("version %d of the settings cannot be shown: %s", number, error)

    def _newest(self) -> int:
        return max(self._versions.numbers(), default=0)


def exchange(made: FastAPI, site: Site) -> None:
    """Have `made` work by `site` from the next request on."""
    made.state.desk = replace(made.state.desk, site=site)
