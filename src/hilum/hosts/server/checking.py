"""Whether an inference server answers, and has the model of the card; no image leaves for that."""

from collections.abc import Iterator
from contextlib import closing

from hilum.answers import Checked
from hilum.errors import HilumError
from hilum.hosts.server import ServerHostSettings
from hilum.hosts.server.exchange import ServerExchange
from hilum.hosts.waiting import Deadline
from hilum.servers.at_server import AtServer

LONGEST_WAIT = 10.0  # seconds for one answer, while somebody waits for the page
MOST_MB = 1  # of one answer


def checks_of(settings: ServerHostSettings, module: type[AtServer]) -> Iterator[Checked]:
    """What a test of the server of `module` finds, one thing after the other."""
    try:
        settings.check()
    except HilumError as error:
        yield Checked("settings", False, str(error))
        return
    seconds = min(settings.timeout_seconds, LONGEST_WAIT)
    once = {"attempts": 1, "timeout_seconds": seconds, "answer_mb": MOST_MB}
    deadline = Deadline(4 * seconds, lambda: True, "did not answer")
    with closing(ServerExchange(settings.model_copy(update=once))) as exchange:
        try:
            told = module.asked_without_images(lambda request: exchange.ask(request, deadline))
        except (HilumError, OSError) as error:
            yield Checked("server", False, str(error))
        else:
            yield Checked("server", True, told)
