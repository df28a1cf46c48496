"""What each process of the service calls. The fork server imports this, and so has what all need.

Their parent does not (`supervisor.py`): it runs nothing of it. To load it would take the processor
0.7 s at each start, and 40 MiB of memory for as long as Hilum runs.
"""

from collections.abc import Callable

from hilum.service import following, readiness, tasks  # noqa: F401 - they, too, are needed after a fork
from hilum.service.console import show
from hilum.service.gateway import run_gateway
from hilum.service.receiver import receive
from hilum.service.roles import Role
from hilum.service.updates import hear
from hilum.service.watcher import watch
from hilum.service.worker import work

CALLED: dict[Role, Callable[..., None]] = {
    Role.RECEIVER: receive,
    Role.UPDATES: hear,
    Role.WATCHER: watch,
    Role.GATEWAY: run_gateway,
    Role.CONSOLE: show,
    Role.WORKER: work,
}
