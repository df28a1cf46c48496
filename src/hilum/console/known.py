"""The modules as the console knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hilum.module import ModuleFacts, Need
from hilum.module.description import ModulePage
from hilum.module.takes import Takes


@dataclass(frozen=True)
class KnownModules:
    """What is installed, and by the name of each module what is known of it.

    `cards` are the model cards, `needs` its inputs of images; `takes` says in words what it takes,
    `runs_in` where it runs. `problems` says of each module that does not load why.
    """

    facts: tuple[ModuleFacts, ...] = ()
    cards: Mapping[str, ModulePage] = field(default_factory=dict)
    needs: Mapping[str, Mapping[str, Need]] = field(default_factory=dict)
    takes: Mapping[str, Takes] = field(default_factory=dict)
    runs_in: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
