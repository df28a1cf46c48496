"""`/metrics`, in the text format of Prometheus."""

from functools import partial
from http import HTTPStatus

from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.metrics import SiteMetrics
from hilum.people.roles import Permission

endpoints = resource()


@endpoints.get(
    "/metrics",
    Permission.NONE,
    response_class=PlainTextResponse,
    responses={503: {"content": {"text/plain": {}}}},
)
async def metrics(desk: OurDesk) -> Response:
    """How things stand as numbers. No label names a study, a patient or a sender."""
    registry = CollectorRegistry()
    registry.register(SiteMetrics(desk.site, desk.records))
    try:
        text = await desk.patience.answer_of(partial(generate_latest, registry))
    except TimeoutError:
        return Response("the records do not answer", HTTPStatus.SERVICE_UNAVAILABLE)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
