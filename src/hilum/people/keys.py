"""Random keys that people and programs show us, and what is kept of them."""

import hashlib
import secrets

KEY_BYTES = 32


def new_key() -> str:
    """A key that nobody can guess, for cookies, addresses and headers."""
    return secrets.token_urlsafe(KEY_BYTES)


def kept(text: str, use: str) -> str:
    """What is kept of `text`, 64 characters: from it nobody gets to a random key.

    The same text gives something else for each `use`.
    """
    return hashlib.sha256(f"{use}:{text}".encode()).hexdigest()
