"""The known faults, in the order of the table."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from hilum_lab.chaos.trial import Fault, Trial

_FAULTS: list[Fault] = []
Inject = Callable[[Trial], None]


def fault(name: str, sentence: str, **properties: Any) -> Callable[[Inject], Inject]:
    """Make the function below a fault called `name`; `properties` are those of `Fault`."""

    def register(inject: Inject) -> Inject:
        _FAULTS.append(Fault(name, sentence, inject, **properties))
        return inject

    return register


def known_faults() -> list[Fault]:
    """Every fault of the package `faults`."""
    from hilum_lab.chaos import faults

    for module in sorted(info.name for info in pkgutil.iter_modules(faults.__path__)):
        importlib.import_module(f"{faults.__name__}.{module}")
    return list(_FAULTS)
