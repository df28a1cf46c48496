"""What every page and every resource of the API works with."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from hilum.config.site import Site
from hilum.console.patience import Patience
from hilum.console.rendering import Rendering
from hilum.module import ModuleFacts
from hilum.records import Records


@dataclass(frozen=True)
class Desk:
    """The settings, the records and the installed modules.

    `rendering` makes pages. `patience` is that of watchdogs and monitoring, which must not wait
    behind people.
    """

    site: Site
    records: Records
    modules: tuple[ModuleFacts, ...]
    rendering: Rendering
    patience: Patience = field(default_factory=Patience)


def _desk_of(request: Request) -> Any:
    return request.app.state.desk


OurDesk = Annotated[Desk, Depends(_desk_of)]
