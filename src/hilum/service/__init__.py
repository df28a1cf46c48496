"""The processes of `hilum serve`: one file per role, and the supervisor that keeps them alive."""
