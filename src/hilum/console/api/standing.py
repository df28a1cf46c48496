"""How things stand: alarms, sources, destinations, rejections, quarantine, modules."""

from typing import Any

from hilum.alarms import alarms_now, views_of
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.views import as_json

endpoints = resource()


@endpoints.get(f"{V1}/alarms", Permission.LOOK)
def list_alarms(desk: OurDesk) -> Any:
    """What is wrong now, since when, and the cure."""
    return as_json(views_of(alarms_now(desk.site, desk.records)))


@endpoints.get(f"{V1}/sources", Permission.LOOK)
def list_sources(desk: OurDesk) -> Any:
    """The archives that are watched."""
    return as_json(views.sources(desk.site, desk.records))


@endpoints.get(f"{V1}/destinations", Permission.LOOK)
def list_destinations(desk: OurDesk) -> Any:
    """Where results go, and what is still to arrive there."""
    return as_json(views.destinations(desk.site, desk.records))


@endpoints.get(f"{V1}/rejections", Permission.LOOK)
def list_rejections(desk: OurDesk) -> Any:
    """What the receiver rejected, by sender and reason."""
    return as_json(desk.records.rejections.since())


@endpoints.get(f"{V1}/quarantine", Permission.LOOK)
def list_quarantine(desk: OurDesk) -> Any:
    """What was received and not taken in."""
    return as_json(views.quarantine(desk.site))


@endpoints.get(f"{V1}/modules", Permission.LOOK)
def list_modules(desk: OurDesk) -> Any:
    """The installed modules."""
    return as_json(desk.modules)
