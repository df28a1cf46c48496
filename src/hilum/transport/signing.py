"""Signatures of messages to programs, as Standard Webhooks says.

The specification stands at https://github.com/standard-webhooks/standard-webhooks, version 1.0.0.
"""

import base64
import hashlib
import hmac
import shlex
from collections.abc import Sequence
from pathlib import Path

from hilum.errors import ConfigurationError
from hilum.privacy import secret_in

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)  # as the specification wants it


def signing_key(file: Path, where: str) -> bytes:
    """The key in `file`; `where` names the setting.

    Raises
    ------
    ConfigurationError
        The file cannot be used; the text says the cure.
    """
    try:
        text = secret_in(file) if file.exists() else ""
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise ConfigurationError(
            f"{where}: {file} holds no secret of Standard "
            f"Webhooks, {PREFIX} and 24 to 64 bytes in base64: write one with "
            f"`{how_to_make(file)}`, and give it to who receives the messages"
        )
    return key


def how_to_make(file: Path) -> str:
    """The command that writes a new secret into `file`, which nobody else may read."""
    make = f"printf '{PREFIX}%s\\n' \"$(head -c 32 /dev/urandom | base64)\""
    return f"(umask 077; {make} > {shlex.quote(str(file))})"


def signed(keys: Sequence[bytes], message_id: str, at: float, body: bytes) -> dict[str, str]:
    """The headers of a message, with a signature of version v1 (HMAC-SHA256) by each key."""
    moment = str(int(at))
    content = b".".join((message_id.encode(), moment.encode(), body))
    signatures = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures),
    }
