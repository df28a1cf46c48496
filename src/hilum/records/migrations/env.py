"""What Alembic runs for each command: the steps, in the transaction that is open already."""

from alembic import context

if __name__ == "env_py":  # so Alembic calls it
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()
