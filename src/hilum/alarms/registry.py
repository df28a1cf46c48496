"""The kinds of alarms: every file of the package `kinds`, in alphabetical order."""

import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from hilum.alarms import kinds
from hilum.alarms.alarm import Alarm, Facts

Kind = Callable[[Facts], Iterator[Alarm]]


@cache
def every_kind() -> tuple[Kind, ...]:
    """The function `alarms` of each file."""
    names = sorted(info.name for info in pkgutil.iter_modules(kinds.__path__))
    return tuple(import_module(f"{kinds.__name__}.{name}").alarms for name in names)
