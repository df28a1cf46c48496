"""Secrets in the text of settings, so that nobody reads them who only looks at what has changed.

Hilum wants secrets in files of their own. What may still stand in the text is a password in an
address, and a setting of somebody's own kind.
"""

import re

MASK = "******"
_IN_ADDRESS = re.compile(r"(://[^\s/@:\"']*:)([^\s@\"']+)(@)")
_SECRET = r"(?:pass|passwd|password|passphrase|secret|token|api_?key)"
_VALUE = r"""("[^"\n]*"|'[^'\n]*'|[^\s,}#]+)"""
_BY_NAME = re.compile(rf"""((?:^|[\s{{,."'])[\w-]*{_SECRET}["']?\s*=\s*){_VALUE}""", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with stars in the place of what looks like a secret."""
    return _BY_NAME.sub(rf'\g<1>"{MASK}"', _IN_ADDRESS.sub(rf"\g<1>{MASK}\g<3>", text))
