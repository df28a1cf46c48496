"""What all tables of our records belong to."""

import sqlalchemy as sa

metadata = sa.MetaData()
