"""The host "server": a module that a server computes, asked by HTTP.

The images are read, freed of names and laid out behind the walls of the usual child; this side
carries the bytes to the server and back, and decodes nothing.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from hilum.config.ends import WebAccount
from hilum.config.kinds import HostSettings
from hilum.engine.exchange import load
from hilum.errors import ModuleError, ServerAway
from hilum.hosts import Job, Place
from hilum.hosts.child import ChildHost
from hilum.hosts.discovery import required_module
from hilum.hosts.planning import ChildHostSettings
from hilum.hosts.server.exchange import ServerExchange, ServerTraffic
from hilum.hosts.server.leaving import Leaving
from hilum.hosts.waiting import Deadline
from hilum.pseudonyms import Pseudonyms, site_key
from hilum.servers import NOT_SENT, ServerReply, ServerRequest, Terms
from hilum.servers.at_server import AtServer
from hilum.wording import counted

log = logging.getLogger(__name__)


class ServerHostSettings(HostSettings, WebAccount):
    """A server that computes the module: KServe v2 (Triton and others), or dicom-ai-router's."""

    kind: Literal["server"] = Field("server", description="A server that is asked by HTTP.")
    timeout_seconds: float = Field(
        300, gt=0, description="Longest wait for one answer of the server, in seconds."
    )
    attempts: int = Field(
        6, ge=1, le=20, description="How often the server is asked before the module has failed."
    )
    retry_seconds: float = Field(
        2,
        gt=0,
        description="Pause before the server is asked again, in seconds; each further one is twice "
        "as long, up to a minute, or as long as the server wants.",
    )
    request_mb: int = Field(
        64, ge=1, description="Most MiB that the server takes at once; Triton takes 64 by default."
    )
    answer_mb: int = Field(64, ge=1, description="Most MiB that the server may answer.")
    burned_in: Literal["refuse", "send"] = Field(
        "refuse",
        description="What happens with images that may show the patient's name in their pixels: "
        "the module refuses them, and they are not sent (refuse), or they are sent (send).",
    )

    def check(self) -> None:
        super().check()
        self.check_account(self.module)


class ServerHost:
    """Has a server compute each job of its module."""

    settings = ServerHostSettings

    def __init__(self, settings: ServerHostSettings, place: Place) -> None:
        self.name = settings.module
        self._settings = settings
        self._place = place
        self._key = ""
        self._leaving: Leaving | None = None
        if place.data:  # without one there is no audit trail
            self._leaving = Leaving(place.data, settings.url, settings.burned_in == "send")
        self._sent: tuple[Job, type[AtServer]] | None = None
        self._exchange = ServerExchange(settings)
        self._child = ChildHost(ChildHostSettings(module=settings.module), place, server=self)

    def start(self) -> None:
        """Start the child, unless it runs; the server is asked nothing yet."""
        self._child.start()

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run `job`; as soon as it is not wanted any more, the server is not waited for.

        Raises
        ------
        ModuleError
            The server does not answer, or not so that it makes sense; `ModuleCancelled` if the job
            was not wanted.
        """
        self._sent = job, self._module()
        self._exchange.traffic = traffic = ServerTraffic()
        try:
            self._child.run(job, is_wanted)
        except ServerAway:
            raise  # it goes on where it stood
        except ModuleError:
            self._end(job)
            raise
        self._end(job)
        refusal = load(job.out).refusal
        if self._leaving and refusal and refusal.code == NOT_SENT:
            self._leaving.refused(job, refusal.text)
        log.info(
            "the server of %s was asked %s: %d bytes sent, %d received",
            self.name,
            counted(traffic.requests, "time"),
            traffic.sent,
            traffic.received,
        )

    def _module(self) -> type[AtServer]:
        found = required_module(self.name, self._place)
        if not issubclass(found, AtServer):
            raise ModuleError(f"{self.name} does not run on a server: remove its [[host]]")
        return found

    def _end(self, job: Job) -> None:
        self._sent = None
        if self._leaving:
            self._leaving.ended(job)

    def close(self) -> None:
        """End the child and the connections."""
        self._child.close()
        self._exchange.close()

    def terms(self) -> Terms:
        """The key is this server's own, so that two servers cannot compare what they know."""
        if not self._key:
            data = self._place.data
            of_site = site_key(data) if data else secrets.token_hex(32)  # no records: no next time
            self._key = Pseudonyms(of_site).of("server", self.name)
        return Terms(self._key, self._settings.burned_in == "send")

    def answer(self, request: ServerRequest, deadline: Deadline) -> ServerReply:
        """Ask the server, as `hilum.hosts.child_process.Server` says."""
        return self._exchange.ask(request, deadline, self._note)

    def _note(self) -> None:
        """Note each request of a run, also one without content: its path may say something, too."""
        if self._leaving and self._sent:
            self._leaving.begins(*self._sent)
