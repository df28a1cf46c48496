"""`/health`: whether Hilum does its work, as load balancers and watchdogs ask for it."""

from enum import StrEnum
from functools import partial
from http import HTTPStatus

from fastapi.responses import JSONResponse

from hilum.alarms import Alarm, alarms_now
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.people.roles import Permission
from hilum.records.views import as_json
from hilum.severity import Severity

endpoints = resource()

Line = dict[str, str | float | None]  # of an alarm: name, severity, since


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


@endpoints.get("/health", Permission.NONE)
async def health(desk: OurDesk) -> JSONResponse:
    """Whether Hilum does its work: HTTP 503 says *failing*, 200 anything else.

    It names alarms and says nothing of their text: who may ask need not see everything.
    """
    try:
        alarms = await desk.patience.answer_of(partial(alarms_now, desk.site, desk.records))
    except TimeoutError:
        return _answer(Health.FAILING, [_line("records", Severity.CRITICAL, None)])
    return _answer(Health.of(alarms), [_line(a.name, a.severity, a.since) for a in alarms])


def _line(name: str, severity: Severity, since: float | None) -> Line:
    return {"name": name, "severity": severity, "since": since}


def _answer(health: Health, alarms: list[Line]) -> JSONResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if health is Health.FAILING else HTTPStatus.OK
    content = as_json({"status": health, "alarms": alarms})
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
