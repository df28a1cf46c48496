"""The roles that processes of the service have; each has a file of its own beside this one."""

import signal
from enum import StrEnum

PROCESSES = "hilum.service.processes"  # what the fork server imports before it forks them
UNUSABLE = 74  # exit status (EX_IOERR of sysexits.h): our database is damaged or gone
FINISH = signal.SIGUSR1  # tells a worker to end after the analysis that runs


class Role(StrEnum):
    """The role of a process."""

    RECEIVER = "receiver"  # the DICOM listener
    UPDATES = "updates"  # hears what the hospital says of its patients, if that is enabled
    WATCHER = "watcher"  # one process for each archive that is watched
    GATEWAY = "gateway"  # assembly, routing, delivery: one place decides
    CONSOLE = "console"  # pages and API
    WORKER = "worker"  # runs modules, one analysis at a time; the only one that may be there often
