"""Every kind of destination, source, object, host, notifier, worklist and format is found here.

| group                | what an entry point names                                           |
|----------------------|---------------------------------------------------------------------|
| `hilum.destinations` | a class with its settings that delivers results (`Destination`)     |
| `hilum.sources`      | a class with its settings that watches an archive (`Source`)        |
| `hilum.objects`      | a class that writes one kind of result object (`ResultObject`)      |
| `hilum.hosts`        | a class with its settings that runs a module (`Host`)               |
| `hilum.notifiers`    | a class with its settings that tells people of alarms (`Notifier`)  |
| `hilum.worklists`    | a class with its settings that works from a list (`Worklist`)       |
| `hilum.formats`      | a class that makes a module of a folder in `models` (`with_model`), |
|                      | or, with `recipe`, of a folder that is given an environment         |

An entry point has the name of the kind, as it stands in hilum.toml. A file is read when its kind
is used, not before, so a package that does not load harms nobody who does not use it.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

from hilum.entry_points import points_of
from hilum.errors import ConfigurationError
from hilum.wording import suggestion

OURS = "hilum"
LONGEST_NAME, LONGEST_MEDIA_TYPE = 32, 64  # as wide as the columns of `hilum.records.tables.result`


class Registered(NamedTuple):
    """One kind as its package registers it; `problem` says why it cannot be used, or is ""."""

    name: str
    package: str
    problem: str = ""


class Kinds:
    """The kinds of one group. `members` are what the class of each of them has to have."""

    def __init__(self, group: str, noun: str, members: tuple[str, ...]) -> None:
        self.group = group
        self._noun = noun
        self.members = members

    @property
    def names(self) -> tuple[str, ...]:
        """Every kind that is registered, in alphabetical order, whether it loads or not."""
        return tuple(sorted(self._points))

    def load(self, name: str) -> Any:
        """The class of the kind called `name`.

        Raises
        ------
        ConfigurationError
            There is no such kind, its package does not load, or its name or media type is too long
            for the records; the text names the package.
        """
        if name not in self._points:
            unknown = f"there is no {self._noun} of kind {name!r}"
            raise ConfigurationError(unknown + suggestion(name, self.names))
        point = self._points[name]
        if len(name) > LONGEST_NAME:
            raise self._unusable(point, f"has a name of more than {LONGEST_NAME} characters")
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # a plug-in may raise anything while it loads
            problem = f"does not load: {type(error).__name__}: {error}"
            raise self._unusable(point, problem) from error
        if lacking := [member for member in self.members if not hasattr(loaded, member)]:
            raise self._unusable(point, f"has no {', '.join(lacking)}")
        if len(getattr(loaded, "media_type", "")) > LONGEST_MEDIA_TYPE:
            text = f"has a media type of more than {LONGEST_MEDIA_TYPE} characters"
            raise self._unusable(point, text)
        settings = getattr(loaded, "settings", None)
        if "settings" in self.members and "kind" not in getattr(settings, "model_fields", ()):
            raise self._unusable(point, "has `settings` that is not a settings class")
        return loaded

    @property
    def targets(self) -> dict[str, str]:
        """What the entry point of each kind names (module:Class); none is loaded for that."""
        return {name: str(point.value) for name, point in self._points.items()}

    def each(self) -> Iterator[Registered]:
        """Every registration; loads them all. A kind of ours keeps its name."""
        for point in self._found:
            if self._points[point.name] is not point:
                other = _package(self._points[point.name])
                taken = f"left out: {other} has a {self._noun} of that kind"
                yield Registered(point.name, _package(point), taken)
                continue
            try:
                self.load(point.name)
            except ConfigurationError as error:
                yield Registered(point.name, _package(point), str(error))
            else:
                yield Registered(point.name, _package(point))

    def usable(self) -> dict[str, Any]:
        """The classes of all kinds that load, by name in alphabetical order."""
        return {kind.name: self.load(kind.name) for kind in self.each() if not kind.problem}

    def _unusable(self, point: EntryPoint, problem: str) -> ConfigurationError:
        cure = f"repair or uninstall {_package(point)}"
        return ConfigurationError(
            f"{self._noun} kind {point.name!r}: {point.value} {problem}; {cure}"
        )

    @property
    def _found(self) -> tuple[EntryPoint, ...]:
        return registered(self.group)

    @property
    def _points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in reversed(self._found)}


def registered(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, by name; where packages use one name, ours comes first."""
    return _registered(group, tuple(sys.path))


@cache
def _registered(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    found = points_of(group)
    return tuple(sorted(found, key=lambda p: (p.name, p.module.partition(".")[0] != OURS, p.value)))


def _package(point: EntryPoint) -> str:
    return str(point.dist.name) if point.dist else point.module.partition(".")[0]


DESTINATIONS = Kinds(
    "hilum.destinations",
    "destination",
    ("settings", "takes", "is_reachable", "send", "ask", "filing", "check"),
)
SOURCES = Kinds(
    "hilum.sources",
    "source",
    ("settings", "describe", "resume", "news", "sweep", "fetch", "close"),
)
OBJECTS = Kinds("hilum.objects", "result object", ("media_type", "refers_to", "write"))
HOSTS = Kinds("hilum.hosts", "host", ("settings", "start", "run", "close"))
NOTIFIERS = Kinds("hilum.notifiers", "notifier", ("settings", "send"))
WORKLISTS = Kinds(
    "hilum.worklists",
    "worklist",
    (
        *("settings", "describe", "offered", "standing"),
        *("claim", "report", "complete", "cancel", "subscribe", "cancel_requests", "close"),
    ),
)
FORMATS = Kinds("hilum.formats", "format", ("with_model",))
EVERY_GROUP = (DESTINATIONS, SOURCES, OBJECTS, HOSTS, NOTIFIERS, WORKLISTS, FORMATS)
