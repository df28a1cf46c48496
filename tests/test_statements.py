"""What is compiled for one database of a test is not compiled again for the next."""

import sqlalchemy as sa

from tests.statements import COMPILED


def test_the_second_database_finds_the_statement_compiled() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("number", sa.Integer))
    known = len(COMPILED)
    for database in (sa.create_engine("sqlite://"), sa.create_engine("sqlite://")):
        table.metadata.create_all(database)
        with database.begin() as connection:
            connection.execute(sa.insert(table).values(number=1))
        with database.begin() as connection:
            assert connection.execute(sa.select(table)).all() == [(1,)]
        database.dispose()
    assert len(COMPILED) == known + 2
