"""Alarms: what is wrong now and needs a person's eye. `views.py` shows them."""

import logging
import time

from hilum.config.site import Site
from hilum.records import Records, tables, views

log = logging.getLogger(__name__)


class Alarms:
    """Notes when an alarm begins and ends: once on record, once in the log."""

    def __init__(self, site: Site, records: Records) -> None:
        self._site = site
        self._records = records
        self._known = {row["name"] for row in records.find(tables.alarm)}

    def check(self) -> None:
        """Compare with the facts; call it every few seconds."""
        alarms = {alarm["name"]: alarm for alarm in views.alarms(self._site, self._records)}
        for name in alarms.keys() - self._known:
            log.error("alarm: %s", alarms[name]["text"])
            self._records.put(tables.alarm, name=name, since=time.time())
        for name in self._known - alarms.keys():
            log.warning("the alarm is over: %s", name)
            self._records.remove(tables.alarm, name=name)
        self._known = set(alarms)
