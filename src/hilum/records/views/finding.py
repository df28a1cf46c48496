"""Studies as a search finds them: one row each, a page at a time.

The rows hold patient data. Whoever shows them asks first who is looking.
"""

import math
from dataclasses import dataclass

from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.listed import ListedStudy
from hilum.records.search import StudyQuery

PAGE = 100  # studies


@dataclass(frozen=True)
class FoundPage:
    """Some of the studies that a query finds, in its order, and how many it finds in all.

    Of `unread` older studies it is not known yet how they stand or what their images say, so that
    some may not be found. The gateway reads them one after the other.
    """

    page: int
    pages: int
    total: int
    unread: int
    studies: tuple[ListedStudy, ...]


def find(records: Records, query: StudyQuery, page: int = 1, size: int = PAGE) -> FoundPage:
    """One page of what `query` finds; `HilumError` if there is no such page."""
    total = records.search.count(query)
    pages = page_count(total, page, size)
    rows = records.search.page(query, total, (page - 1) * size, size)
    return FoundPage(page, pages, total, records.search.unread(), tuple(rows))


def page_count(total: int, page: int, size: int) -> int:
    """How many pages of `size` there are of `total`; `HilumError` if `page` is none of them."""
    pages = max(1, math.ceil(total / size))
    if not 1 <= page <= pages:
        raise HilumError(f"there is no page {page}; the last one is {pages}")
    return pages
