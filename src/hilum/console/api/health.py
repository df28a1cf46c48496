"""`/health`: whether Hilum does its work, as load balancers and watchdogs ask for it."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from http import HTTPStatus

from fastapi.responses import JSONResponse

from hilum.alarms import Alarm, alarms_now
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.people.roles import Permission
from hilum.records.views import as_json
from hilum.severity import Severity

endpoints = resource()


class Health(StrEnum):
    """Whether Hilum does its work."""

    OK = "ok"  # there is no alarm, or none that is more than information
    DEGRADED = "degraded"  # there are others, and none is critical
    FAILING = "failing"  # an alarm is critical, or the records do not answer

    @classmethod
    def of(cls, alarms: list[Alarm]) -> "Health":
        """What `alarms` make of it."""
        if any(alarm.severity is Severity.CRITICAL for alarm in alarms):
            return cls.FAILING
        is_well = all(alarm.severity is Severity.INFORMATION for alarm in alarms)
        return cls.OK if is_well else cls.DEGRADED


@dataclass(frozen=True)
class HealthLine:
    """An alarm by its name; it stands `since` then, in s since 1970."""

    name: str
    severity: Severity
    since: float | None


@dataclass(frozen=True)
class HealthReport:
    """Whether Hilum does its work, and which alarms stand."""

    status: Health
    alarms: tuple[HealthLine, ...]


@endpoints.get(
    "/health", Permission.NONE, responses=answers(HealthReport) | answers(HealthReport, 503)
)
async def health(desk: OurDesk) -> JSONResponse:
    """Whether Hilum does its work: HTTP 503 says *failing*, 200 anything else.

    It names alarms and says nothing of their text: who may ask need not see everything.
    """
    try:
        alarms = await desk.patience.answer_of(partial(alarms_now, desk.site, desk.records))
    except TimeoutError:
        return _answer(Health.FAILING, HealthLine("records", Severity.CRITICAL, None))
    return _answer(Health.of(alarms), *(HealthLine(a.name, a.severity, a.since) for a in alarms))


def _answer(health: Health, *alarms: HealthLine) -> JSONResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if health is Health.FAILING else HTTPStatus.OK
    content = as_json(HealthReport(health, alarms))
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
