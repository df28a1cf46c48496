"""All measurements as one table: what `hilum export` writes.

`rows.py` says what stands in a row, `hilum.pseudonyms` what stands in the place of whatever names a
patient, `tables.py` how the rows become CSV or Parquet.
"""

from hilum.exporting.rows import COLUMNS, IDENTIFIED_COLUMNS, rows_of
from hilum.exporting.tables import TableFormat, format_of, write_table

__all__ = [
    "COLUMNS",
    "IDENTIFIED_COLUMNS",
    "TableFormat",
    "format_of",
    "rows_of",
    "write_table",
]
