"""The receiver's open connections: how many a host may have, who makes room, and their memory.

One host must not shut out the others: each has a limit, connections that say nothing and idle
associations of a host over its share make room, and some places are kept for hosts that have sent
images before.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from hilum.config.receiver import Receiver
from hilum.inbox.room import MEBIBYTE
from hilum.rejections import RejectionKind

FIRST_MESSAGE_SECONDS = 5.0  # for an association request; a sender has it ready when it connects
IDLE_SECONDS = 5.0  # an association that was silent so long may have to make room
SPARE_CONNECTIONS = 32  # port probes and monitors, which open no association
SPARE_OF_HOST = 8  # the same for one host
KEPT_SHARE = 4  # one place in so many is kept for known senders
MOST_KNOWN = 1000  # hosts


class Link(Protocol):
    """A connection as it is counted here."""

    host: str
    opened_at: float  # monotonic, in s
    last_active: float
    in_message: bool  # a message is under way, or not answered yet
    requested: bool  # it has asked for an association
    admitted: bool  # it has one

    def cut(self, kind: RejectionKind, reason: str) -> None:
        """End it, and report the reason."""

    def shutdown(self, how: int, /) -> None: ...


class Traffic:
    """The open connections, and how many bytes of objects are on their way in all of them."""

    def __init__(self, settings: Receiver) -> None:
        self._most = settings.max_associations
        self._most_of_host = min(settings.max_associations_per_host, self._most)
        self._kept = self._most // KEPT_SHARE
        # An object exists three times for a moment: as received, as PDV data, as Part 10.
        self._limit = settings.memory_mb * MEBIBYTE // 4
        self._under_way = 0
        self._open: set[Link] = set()
        self._known: dict[str, None] = {}  # hosts that have sent images, the latest last
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, link: Link) -> None:
        with self._lock:
            self._open.add(link)

    def leave(self, link: Link) -> None:
        with self._lock:
            self._open.discard(link)

    # Connections

    def crowded(self, newcomer: Link) -> str:
        """Why the newest connection may not stay, or "" if it may; a silent one makes room."""
        with self._lock:
            of_host = [link for link in self._open if link.host == newcomer.host]
            if len(of_host) > self._most_of_host + SPARE_OF_HOST:
                crowd, whose, most = of_host, "of this host", self._most_of_host + SPARE_OF_HOST
            elif len(self._open) > self._most + SPARE_CONNECTIONS:
                crowd, whose = list(self._open), "of all hosts"
                most = self._most + SPARE_CONNECTIONS
            else:
                return ""
            counts = Counter(link.host for link in self._open)
            cure = "close some, or find out who opens them"
            reason = f"more than {most} connections {whose} are open: {cure}"
            silent = [link for link in crowd if not link.requested and link is not newcomer]
            if not silent:
                return reason
            rank = self._by(lambda link: (link.host in self._known, -counts[link.host]))
            min(silent, key=rank).cut(RejectionKind.ROOM, f"{reason}; this one had sent nothing")
            return ""

    def cut_silent(self) -> None:
        """End the connections that did not ask for an association in time."""
        began = time.monotonic() - FIRST_MESSAGE_SECONDS
        with self._lock:
            silent = [link for link in self._open if not link.requested and link.opened_at < began]
        for link in silent:
            text = f"no association request came within {FIRST_MESSAGE_SECONDS:.0f} s"
            link.cut(
                RejectionKind.SILENCE, f"{text}: correct the sender, unless it is a port probe"
            )

    def cut_all(self) -> None:
        """End every connection, wherever its association stands."""
        with self._lock:
            links = list(self._open)
        for link in links:
            link.shutdown(socket.SHUT_RDWR)

    # Associations

    def admit(self, link: Link, is_known: bool) -> str:
        """Let `link` have an association, or say why it may not have one.

        `is_known` says that its sender is one of those for whom places are kept; hosts that have
        sent images are among them anyway.
        """
        with self._lock:
            holders = [other for other in self._open if other.admitted]
            of_host = sum(other.host == link.host for other in holders)
            if of_host >= self._most_of_host:
                return (
                    f"{self._most_of_host} associations of this host are open already: have it "
                    "close some, or raise receiver.max_associations_per_host"
                )
            others = sum(other.host not in self._known for other in holders)
            is_known = is_known or link.host in self._known
            is_full = len(holders) >= self._most
            if (is_full or (not is_known and others >= self._most - self._kept)) and (
                not self._idle_one_makes_room(holders, link.host)
            ):
                return (
                    f"too many associations are open already (receiver.max_associations is "
                    f"{self._most}): have the senders close some, or raise it"
                )
            link.admitted = True
            return ""

    def has_sent(self, host: str) -> None:
        """`host` is a sender of images: places are kept for it from now on."""
        with self._lock:
            self._known.pop(host, None)
            self._known[host] = None
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]

    def _idle_one_makes_room(self, holders: list[Link], newcomer: str) -> bool:
        """End the longest idle association of the host that is furthest over its share."""
        counts = Counter(link.host for link in holders)
        share = max(1, self._most // len(counts.keys() | {newcomer}))
        before = time.monotonic() - IDLE_SECONDS
        idle = [
            link
            for link in holders
            if counts[link.host] > max(share, counts[newcomer])
            and not link.in_message
            and link.last_active < before
        ]
        if not idle:
            return False
        victim = min(idle, key=self._by(lambda link: -counts[link.host]))
        victim.admitted = False
        reason = (
            "this host had more associations open than its share; this one was idle and was ended "
            "for another host: have the sender release what it does not use"
        )
        victim.cut(RejectionKind.ROOM, reason)
        return True

    def _by(self, first: Callable[[Link], object]) -> Callable[[Link], tuple[object, float]]:
        return lambda link: (first(link), link.last_active)

    # Memory

    def claim(self, size: int) -> bool:
        """Make room for `size` bytes, or say that there is none."""
        with self._lock:
            if self._under_way + size > self._limit:
                return False
            self._under_way += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._under_way -= size
