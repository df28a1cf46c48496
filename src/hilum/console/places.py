"""The parts of the network that forms add and change, and how each is tested.

These are destinations, sources, worklists and notifiers.
"""

import tomllib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import HTTPException

from hilum import sources, worklists
from hilum.alarms.trial import message_on_trial, tell
from hilum.answers import Checked
from hilum.config.ends import End
from hilum.config.fields import Settings
from hilum.config.kinds import (
    SECTIONS_BY_KIND,
    STANDARD_OBJECTS,
    DestinationSettings,
    NotifierSettings,
    SourceSettings,
    WorklistSettings,
    settings_of,
)
from hilum.destinations import checks_of
from hilum.errors import ConfigurationError
from hilum.kinds import OBJECTS, Kinds

Place = TypeVar("Place", bound=End)


class NetworkPlace(StrEnum):
    """What of the network a form adds or changes."""

    DESTINATIONS = "destinations"
    SOURCES = "sources"
    WORKLISTS = "worklists"
    NOTIFIERS = "notifiers"

    @property
    def section(self) -> str:
        """Its section of hilum.toml."""
        return "notify" if self is NetworkPlace.NOTIFIERS else self.noun

    @property
    def noun(self) -> str:
        """One of them, in words."""
        return self.value[:-1]

    @property
    def kinds(self) -> Kinds:
        """Those that are registered."""
        return SECTIONS_BY_KIND[self.section]

    @property
    def shared(self) -> type[Settings]:
        """The settings that every kind has."""
        classes: dict[str, type[Settings]] = {
            "destinations": DestinationSettings,
            "sources": SourceSettings,
            "worklists": WorklistSettings,
            "notifiers": NotifierSettings,
        }
        return classes[self]

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What is chosen from, by the name of the setting."""
        objects = tuple(dict.fromkeys((*STANDARD_OBJECTS, *OBJECTS.names)))
        return {"objects": objects} if self is NetworkPlace.DESTINATIONS else {}


def settings_class(place: NetworkPlace, kind: str) -> type[Settings]:
    """The settings of one kind; 404 if there is none that can be used."""
    try:
        return settings_of(place.kinds, kind)
    except ConfigurationError as error:
        raise HTTPException(404, str(error)) from error


def entry_in(text: str, place: NetworkPlace, name: str) -> tuple[int, dict[str, Any]]:
    """Number and values of the entry called `name` in the text of hilum.toml; 404 if none is."""
    entries: list[dict[str, Any]] = tomllib.loads(text).get(place.section, [])
    for number, values in enumerate(entries):
        if values.get("name") == name:
            return number, values
    raise HTTPException(404, f"hilum.toml defines no {place.noun} called {name}")


def tests_of(settings: Settings, is_trial: bool) -> Iterator[Checked]:
    """Try what these settings are for; nothing is stored anywhere.

    A notifier sends a message, and so only where somebody wants a trial.
    """
    if isinstance(settings, DestinationSettings):
        yield from checks_of(settings)
    elif isinstance(settings, SourceSettings):
        yield from _checks_of(settings, sources.answer_of)
    elif isinstance(settings, WorklistSettings):
        yield from _checks_of(settings, worklists.answer_of)
    elif isinstance(settings, NotifierSettings) and is_trial:
        yield Checked("test message", *tell(settings, message_on_trial()))


def _checks_of(
    settings: Place, answer_of: Callable[[Place], tuple[bool, str]]
) -> Iterator[Checked]:
    try:
        settings.check()
    except ConfigurationError as error:
        yield Checked("settings", False, str(error))
    else:
        yield Checked("answer", *answer_of(settings))
