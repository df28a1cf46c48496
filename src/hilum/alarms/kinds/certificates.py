"""A certificate of ours ends soon, has ended, or cannot be read."""

import time
from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.config.site import Site
from hilum.config.tls import Tls, ends_at
from hilum.severity import Severity

SOON_SECONDS = 30 * 24 * 3600.0  # before its end


def alarms(facts: Facts) -> Iterator[Alarm]:
    """One for each section of the settings whose certificate ends within a month or is gone."""
    for name, tls in _sections(facts.site):
        try:
            end = ends_at(tls) if tls else None
        except OSError:  # ssl.SSLError is one, too
            yield Alarm(
                f"certificate {name}",
                Severity.CRITICAL,
                f"the certificate of {name} cannot be read",
                "put a certificate in PEM form, and its key, into the place that the settings name",
            )
            continue
        if end is not None and end < facts.now + SOON_SECONDS:
            has_ended = end < facts.now
            day = time.strftime("%F", time.localtime(end))
            yield Alarm(
                f"certificate {name}",
                Severity.CRITICAL if has_ended else Severity.WARNING,
                f"the certificate of {name} {'has ended' if has_ended else 'ends'} on {day}",
                "put a new certificate and its key into the place of the old ones; Hilum reads "
                "them by itself",
            )


def _sections(site: Site) -> Iterator[tuple[str, Tls | None]]:
    """What each of our certificates is for."""
    yield "receiver", site.receiver.tls
    yield "console", site.console.tls
    # a source and a destination may have one name: an archive is often both
    yield from ((f"source {end.name}", getattr(end, "tls", None)) for end in site.source)
    yield from ((f"destination {end.name}", getattr(end, "tls", None)) for end in site.destination)
    yield from ((f"notifier {end.name}", end.tls) for end in site.notify)
    yield from ((f"audit {end.name}", end.tls) for end in site.audit.syslog)
