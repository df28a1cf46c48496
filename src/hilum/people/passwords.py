"""Passwords are kept as argon2id hashes (RFC 9106), 64 MiB of work each."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hilum.errors import HilumError

SHORTEST, LONGEST = 12, 1024  # characters

_hasher = PasswordHasher()


def require_usable(password: str, name: str) -> None:
    """Raise `HilumError`, with the rule, unless `password` may be the one of `name`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise HilumError(f"a password has {SHORTEST} to {LONGEST} characters; choose another one")
    if name.lower() in password.lower() and len(password) < len(name) + SHORTEST:
        raise HilumError("a password is not made of the name; choose another one")
    if len(set(password)) < 5:
        raise HilumError("a password has at least five different characters; choose another one")


def hashed(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Whether `password` is the one of which `kept` was kept.

    It takes as long for None, so that nobody learns from the time whether there is an account.
    """
    try:
        is_right = _hasher.verify(kept or _of_nobody(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return is_right and kept is not None


def is_outdated(kept: str) -> bool:
    """Whether today's hashes are stronger than `kept`."""
    return _hasher.check_needs_rehash(kept)


@cache
def _of_nobody() -> str:
    return _hasher.hash("")
