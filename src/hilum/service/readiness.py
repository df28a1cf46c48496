"""Whether the service can start: its settings, its database. What is missing is made."""

from collections.abc import Collection
from contextlib import closing
from functools import partial

from hilum.checking import check_for
from hilum.config.site import Site
from hilum.privacy import make_private
from hilum.records import Records, records_url
from hilum.records.executors import DEAD_SECONDS
from hilum.records.migrations import upgrade
from hilum.records.soundness import require_as_new, require_present, require_whole
from hilum.service.roles import Role


def require_ready(site: Site, roles: Collection[Role]) -> None:
    """Make the data folder and the tables, before several processes want them.

    Raises
    ------
    HilumError
        Something is wrong with the settings, with what they name, or with the database.
    """
    check_for(site, has_console=Role.CONSOLE in roles)
    make_private(site.data)
    require_present(site)
    require_whole(site)
    prepared = partial(upgrade, dead_seconds=DEAD_SECONDS)
    with closing(Records(records_url(site), prepare=prepared)) as records:
        require_as_new(records.database.transact, site.data)
