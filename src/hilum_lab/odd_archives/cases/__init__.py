"""The cases, in the order of the page; each file is one or several of its sections."""

from hilum_lab.odd_archives.cases import commitment, queries, storage, web

CASES = (*storage.CASES, *queries.CASES, *commitment.CASES, *web.CASES)
