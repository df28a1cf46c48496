"""The fork server alone imports this, and first; see `hilum.process.fork_server`.

It ends with its parent, and the kernel ends with it all that it forked. A SIGTERM to all of us, as
systemd sends it, must not end it, or it would take the others along before they are done.
"""

import gc
import multiprocessing
import signal

import scipy.ndimage  # noqa: F401 - most modules want it, and it takes 0.2 s in each process

from hilum.process import FORK_SERVER, die_with_parent

multiprocessing.current_process().name = FORK_SERVER
die_with_parent()
# What it imports from now on lasts: looking for garbage in it again and again takes a third of its
# start. What it forks looks again, see `die_with_parent`.
gc.disable()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # those it forks take it off again
