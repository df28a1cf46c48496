"""The listener for changed patient data (HL7 ADT), as a process of its own.

A message is on the disk before it is accepted. The gateway sees to it: `patient_updates.py`.
"""

import logging
import os
import signal
import uuid
from datetime import datetime
from pathlib import Path

from hilum.config.updates import PatientUpdates
from hilum.errors import MessageError
from hilum.hl7.adt import EventNotTaken, PatientUpdate
from hilum.hl7.answers import (
    EVENT,
    FIELD_MISSING,
    INTERNAL,
    SEGMENT_MISSING,
    Acknowledgement,
    write_answer,
)
from hilum.hl7.er7 import ReceivedMessage
from hilum.inbox import updates
from hilum.processes.hints import HintSender, Updated
from hilum.service.beginning import begin
from hilum.service.mllp_server import MllpServer

NOT_KEPT = "it could not be written to the disk here: send it again"

log = logging.getLogger(__name__)


def hear(settings: PatientUpdates, data: Path, hints: Path) -> None:
    """Hear messages until SIGTERM; `hints` is the socket of the gateway."""
    begin(data)
    stop, stopped = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stopped, b"."))
    listener = UpdatesListener(data, HintSender(hints))
    server = MllpServer(settings, listener.answer)
    log.info("listens for changed patient data (HL7) on %s:%d", settings.host, server.port)
    server.serve_until(stop)


class UpdatesListener:
    """Keeps the messages that can be used below `data`, and answers each."""

    def __init__(self, data: Path, hints: HintSender) -> None:
        self._data = data
        self._hints = hints

    def answer(self, content: bytes) -> bytes:
        """The answer to a message that came: AA, or AE or AR with the reason in words."""
        message: ReceivedMessage | None = None
        try:
            message = ReceivedMessage.of(content)
            PatientUpdate.read(message)
            updates.keep(self._data, content)
        except EventNotTaken as error:
            return _answer(message, Acknowledgement.AR, EVENT, str(error))
        except MessageError as error:
            problem = FIELD_MISSING if message else SEGMENT_MISSING
            verdict = Acknowledgement.AE if message else Acknowledgement.AR
            return _answer(message, verdict, problem, str(error))
        except OSError as error:
            log.error("a message about a patient could not be kept: %s", error.strerror)
            return _answer(message, Acknowledgement.AE, INTERNAL, NOT_KEPT)
        self._hints.send(Updated())
        return _answer(message, Acknowledgement.AA)


def _answer(
    message: ReceivedMessage | None, verdict: Acknowledgement, problem: str = "", words: str = ""
) -> bytes:
    at = f"{datetime.now().astimezone():%Y%m%d%H%M%S%z}"
    return write_answer(message, verdict, at, uuid.uuid4().hex[:20], problem, words)
