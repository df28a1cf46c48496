"""Secrets in the text of settings, so that nobody reads them who only looks at what has changed.

Hilum wants secrets in files of their own. What may still stand in the text is a password in an
address, and a setting of somebody's own kind.
"""

import re

MASK = "******"
_IN_ADDRESS = re.compile(r"(://[^\s/@:\"']*:)([^\s@\"']+)(@)")
_SECRET = r"(?:pass|passwd|password|passphrase|secret|token|key)"
_NAME = re.compile(rf"[\w-]*{_SECRET}", re.IGNORECASE)
_VALUE = r"""("[^"\n]*"|'[^'\n]*'|[^\s,}#&"']+)"""
_BY_NAME = re.compile(
    rf"""((?:^|[\s{{,."'?&])[\w-]*{_SECRET}["']?\s*=\s*){_VALUE}""", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Whether a setting of this name looks like a secret, and not like a file that holds one."""
    return _NAME.fullmatch(name.rpartition(".")[2]) is not None


def masked(text: str) -> str:
    """`text` with stars in the place of what looks like a secret."""
    without = _IN_ADDRESS.sub(rf"\g<1>{MASK}\g<3>", text)
    return _BY_NAME.sub(lambda found: f"{found[1]}{_stars_for(found[2])}", without)


def _stars_for(value: str) -> str:
    """As many quotes as before."""
    quote = value[0] if value[0] in "\"'" else ""
    return f"{quote}{MASK}{quote}"
