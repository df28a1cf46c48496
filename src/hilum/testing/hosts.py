"""The promises that every kind of module host must keep."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hilum.engine import exchange
from hilum.errors import ModuleCancelled, ModuleError
from hilum.hosts import Host, Job


def check_host(host: Host, job: Job) -> None:
    """Check that a host keeps the promises that workers depend on.

    Parameters
    ----------
    host
        Opened for a module, not started yet.
    job
        One that the module ends well, such as `job_of` makes it.
    """
    host.start()
    host.start()  # whoever is not sure starts it again
    for name in ("first", "second"):
        out = job.out / name
        host.run(replace(job, out=out))
        _check_left(out)
    _check_refused(host, replace(job, out=job.out / "others", weights_sha256="0" * 64))
    with suppress(ModuleCancelled):  # or it was quicker than that
        host.run(replace(job, out=job.out / "unwanted"), lambda: False)
    host.run(replace(job, out=job.out / "after"))
    host.close()
    host.close()  # whoever is not sure closes it again
    host.run(replace(job, out=job.out / "anew"))
    _check_left(job.out / "anew")  # a host that was closed starts when it is used
    host.close()


def _check_left(out: Path) -> None:
    assert (out / exchange.FINDINGS).is_file(), "a job leaves its findings in `out`"
    assert exchange.load(out).items, "the findings of a job can be read"


def _check_refused(host: Host, job: Job) -> None:
    try:
        host.run(job)
    except ModuleError:
        return
    raise AssertionError("a result never names other weights than those that made it")
