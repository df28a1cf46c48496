"""Goes on below a keeper, starts what tries to outlive it, and ends as it is told.

    python kept.py WORKER LOCK SYSTEM ENDING

WORKER is the descriptor of a pipe that the "worker" writes to, LOCK that of a file whose lock every
process here holds as long as it lives. SYSTEM "forbids" namespaces or "allows" them.
"""

import os
import signal
import subprocess
import sys
import time

from hilum.hosts.keeping import go_on_below_a_keeper
from hilum.hosts.walls import calls
from hilum.hosts.walls.deeds import Deed
from hilum.hosts.walls.kernel import machine

worker, lock = map(int, sys.argv[1:3])
system, ending = sys.argv[3:]
if system == "forbids":
    here = machine()
    assert here is not None
    calls.install(calls.program(iter([calls.Denial("unshare", Deed.KERNEL)]), here), here)
go_on_below_a_keeper(worker)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.set_inheritable(lock, True)
subprocess.Popen(["/bin/sleep", "3600"], close_fds=False)
subprocess.Popen(["/bin/sleep", "3600"], close_fds=False, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
sys.stdout.write(f"{os.getpid()}\n")
sys.stdout.flush()
if ending == "hangs":
    time.sleep(3600)
elif ending == "aborts":
    os.abort()
sys.exit(3)
