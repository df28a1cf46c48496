"""A changed hilum.toml is followed while Hilum runs, or refused with the reason.

The parent of all processes only looks whether the file is another one. What it says is read and
checked by a process of its own: whatever goes wrong there harms nobody.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from hilum.config import site_in
from hilum.config.file import SettingsFile, SettingsText
from hilum.config.masking import masked
from hilum.config.site import Site
from hilum.config.versions import SettingsVersions
from hilum.errors import HilumError, where
from hilum.logs import configure_logging
from hilum.processes.process import children_deaf_to_ctrl_c, die_with_parent
from hilum.service.preflight import require_free_ports
from hilum.service.roles import Role

LOOK_SECONDS = 0.5  # between two looks at the file; it is read once two of them have found the same
CHECK_SECONDS = 60.0  # longest time that a check may take
AGAIN_SECONDS = 60.0  # before a refused file is checked again: what it lacked may be there now

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckedText:
    """What a changed file says: the settings, or the problem with it."""

    text: str
    site: Site | None
    problem: str = ""


def check_text(file: SettingsFile, running: Site, roles: Collection[Role]) -> CheckedText:
    """What `file` says, checked as at a start, and against what cannot change as Hilum runs."""
    from hilum.checking import check_change  # the parent needs nothing of it

    text = ""
    try:
        text = file.read().text
        site = site_in(text)
        check_change(running, site, has_console=Role.CONSOLE in roles)
        moved = {
            role
            for role, here, there in (
                (Role.RECEIVER, running.receiver, site.receiver),
                (Role.CONSOLE, running.console, site.console),
            )
            if role in roles and (here.host, here.port) != (there.host, there.port)
        }
        require_free_ports(site, moved)
    except HilumError as error:
        return CheckedText(text, None, masked(str(error)))
    except Exception as error:  # noqa: BLE001 - a part of somebody's own may raise anything
        return CheckedText(text, None, f"it cannot be checked: {where(error)}")
    return CheckedText(text, site)


def _answer(
    answers: Connection, file: SettingsFile, running: Site, roles: Collection[Role]
) -> None:
    """Send what `check_text` finds; in a process of its own."""
    die_with_parent()
    configure_logging(running.data)
    answers.send(check_text(file, running, roles))


class _Check:
    """A check that is under way in a process of its own."""

    def __init__(
        self,
        context: ForkServerContext,
        file: SettingsFile,
        running: Site,
        roles: Collection[Role],
    ) -> None:
        self._answers, ours = context.Pipe(duplex=False)
        self._deadline = time.monotonic() + CHECK_SECONDS
        self._process: BaseProcess = context.Process(
            target=_answer, args=(ours, file, running, roles), name="hilum settings"
        )
        with ours, children_deaf_to_ctrl_c():
            self._process.start()

    def outcome(self) -> CheckedText | None:
        """What it found; None while it looks."""
        is_over = not self._process.is_alive() or time.monotonic() > self._deadline
        if not self._answers.poll() and not is_over:
            return None
        try:
            found: CheckedText = self._answers.recv()
        except EOFError:
            found = CheckedText("", None, "the process that checked it ended, or took too long")
        self.end()
        return found

    def end(self) -> None:
        """Look no further."""
        self._process.kill()
        self._process.join()
        self._answers.close()


class Follower:
    """Looks after the settings file of a running service.

    Parameters
    ----------
    started
        What the file said at the start.
    running
        The settings that it gave.
    roles
        Those of this service; the one with the gateway keeps what is followed as a version.
    clock
        Gives the time in s since 1970.
    """

    def __init__(
        self,
        context: ForkServerContext,
        started: SettingsText,
        running: Site,
        roles: Collection[Role],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._file = started.file
        self._text = started.text
        self._running = running
        self._roles = roles
        self._clock = clock
        self._versions = SettingsVersions(running.data)
        self._seen = self._judged = started.fingerprint
        self._next_look = self._again = 0.0
        self._check: _Check | None = None

    def begin(self) -> None:
        """Note what the service was started with."""
        self._versions.accept()
        self._keep()

    def turn(self) -> Site | None:
        """The settings to be followed from now on, once there are others; it never waits."""
        if self._check:
            found = self._check.outcome()
            if found is None:
                return None
            self._check = None
            return self._follow(found)
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + LOOK_SECONDS
        seen, self._seen = self._seen, self._file.fingerprint()
        is_due = self._seen != self._judged or (self._again and now > self._again)
        if seen == self._seen and is_due:
            self._judged, self._again = seen, 0.0
            try:
                self._check = _Check(self._context, self._file, self._running, self._roles)
            except (OSError, EOFError) as error:  # no memory just now, or no fork server
                log.error("%s cannot be looked at now: %s", self._file.path, where(error))
                self._again = now + AGAIN_SECONDS
        return None

    def stop(self) -> None:
        """Look no more."""
        if self._check:
            self._check.end()

    def _follow(self, found: CheckedText) -> Site | None:
        if found.site is None:
            self._again = time.monotonic() + AGAIN_SECONDS
            log.error("%s was changed and is not followed: %s", self._file.path, found.problem)
            self._versions.refuse(found.problem, self._clock())
            return None
        self._versions.accept()
        if found.text == self._text:
            return None
        self._text, self._running = found.text, found.site
        version = self._keep()
        log.info("%s was changed and is followed now%s", self._file.path, version)
        return found.site

    def _keep(self) -> str:
        """Keep what is followed as a version; what to say of it."""
        if Role.GATEWAY not in self._roles:
            return ""
        try:
            return f": version {self._versions.keep(self._text, self._clock()).number}"
        except OSError as error:
            return f"; it could not be kept as a version: {error.strerror}"
