"""What has to be right before the service starts is looked at, and made ready.

It is done in a process of its own: it loads the modules of the rules and the database, all of which
the parent of the service would keep in memory for as long as Hilum runs.
"""

import logging
from collections.abc import Collection
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.logs import hear_ourselves, speak_alone
from hilum.processes.process import children_deaf_to_ctrl_c, die_with_parent
from hilum.service.roles import Role

ENDED = "the process that looks whether Hilum can start has ended: start it again"


def prepare(context: ForkServerContext, site: Site, roles: Collection[Role]) -> None:
    """Have everything looked at and made ready; what is logged meanwhile is logged here.

    Raises
    ------
    HilumError
        The service cannot start. The text says why, and what to do.
    """
    said, ours = context.Pipe(duplex=False)
    process = context.Process(
        target=_answer, args=(ours, site, frozenset(roles)), name="hilum start"
    )
    with ours, children_deaf_to_ctrl_c():
        process.start()
    with said:  # closed when nobody speaks into it any more
        try:
            outcome = _heard(said)
        finally:
            process.kill()
            process.join()
    if outcome:
        raise outcome


def _heard(said: Connection) -> HilumError | None:
    """Why the service cannot start, if it cannot; log what is said before."""
    while True:
        try:
            told: logging.LogRecord | HilumError | None = said.recv()
        except EOFError:
            return HilumError(ENDED)
        if not isinstance(told, logging.LogRecord):
            return told
        logging.getLogger(told.name).handle(told)


class _Telling(logging.Handler):
    """Sends what is logged to the parent."""

    def __init__(self, answers: Connection) -> None:
        super().__init__()
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        """Send it with its text made: its values may be of a class that cannot be sent."""
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._answers.send(record)


def _answer(answers: Connection, site: Site, roles: Collection[Role]) -> None:
    """Look, and say what came of it; in a process of its own."""
    from hilum.service.readiness import require_ready  # the parent needs nothing of it

    die_with_parent()
    logging.getLogger().handlers[:] = [_Telling(answers)]
    hear_ourselves()
    speak_alone()
    with suppress(BrokenPipeError):  # whoever asks was interrupted, and hears nothing any more
        try:
            require_ready(site, roles)
        except HilumError as error:
            answers.send(error)
        else:
            answers.send(None)
