"""How things stand: alarms, sources, worklists, destinations, rejections, quarantine, modules."""

from typing import Any

from hilum.alarms import AlarmView, alarms_now, views_of
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.module import ModuleFacts
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.views import as_json
from hilum.rejections import Rejection

endpoints = resource()


@endpoints.get(f"{V1}/alarms", Permission.LOOK, responses=answers(list[AlarmView]))
def list_alarms(desk: OurDesk) -> Any:
    """What is wrong now, since when, and the cure."""
    return as_json(views_of(alarms_now(desk.site, desk.records)))


@endpoints.get(f"{V1}/sources", Permission.LOOK, responses=answers(list[views.SourceView]))
def list_sources(desk: OurDesk) -> Any:
    """The archives that are watched."""
    return as_json(views.sources(desk.site, desk.records))


@endpoints.get(f"{V1}/worklists", Permission.LOOK, responses=answers(list[views.WorklistView]))
def list_worklists(desk: OurDesk) -> Any:
    """The worklists that steps are taken from, with those that have not ended."""
    return as_json(views.worklists(desk.site, desk.records))


@endpoints.get(
    f"{V1}/destinations", Permission.LOOK, responses=answers(list[views.DestinationView])
)
def list_destinations(desk: OurDesk) -> Any:
    """Where results go, and what is still to arrive there."""
    return as_json(views.destinations(desk.site, desk.records))


@endpoints.get(f"{V1}/rejections", Permission.LOOK, responses=answers(list[Rejection]))
def list_rejections(desk: OurDesk) -> Any:
    """What the receiver rejected, by sender and reason."""
    return as_json(desk.records.rejections.since())


@endpoints.get(f"{V1}/quarantine", Permission.LOOK, responses=answers(views.QuarantineView))
def list_quarantine(desk: OurDesk) -> Any:
    """What was received and not taken in."""
    return as_json(views.quarantine(desk.site))


@endpoints.get(f"{V1}/modules", Permission.LOOK, responses=answers(list[ModuleFacts]))
def list_modules(desk: OurDesk) -> Any:
    """The installed modules."""
    return as_json(desk.modules.facts)
