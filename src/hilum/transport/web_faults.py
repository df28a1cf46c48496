"""What is wrong with the encryption of a web service, in words with the cure."""

from hilum.errors import RESTART
from hilum.transport.tls import TOO_OLD

WANTS_TLS = f"it expects TLS at that port: write https instead of http in url, {RESTART}"
WANTS_CERTIFICATE = (
    "it asks for a client certificate that it trusts: name one as certificate_file and key_file in "
    f"tls, {RESTART}"
)
OUR_END = "our certificate has expired: put a new one into its place"
TLS_FAULTS = (  # what OpenSSL and h11 say; the first that is found counts
    ("Hostname mismatch", "its certificate is for another name: write that name in url"),
    ("IP address mismatch", "its certificate is not for this address: write its name in url"),
    ("certificate has expired", "its certificate has expired: have it renewed there"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is not trusted: name who signed it as ca_file in tls, or add it to the "
        f"system's certificates, {RESTART}",
    ),
    ("CERTIFICATE_REQUIRED", WANTS_CERTIFICATE),
    ("ALERT_HANDSHAKE_FAILURE", WANTS_CERTIFICATE),
    ("ALERT_UNKNOWN_CA", WANTS_CERTIFICATE),
    ("ALERT_CERTIFICATE_EXPIRED", OUR_END),
    ("UNSUPPORTED_PROTOCOL", TOO_OLD),
    ("ALERT_PROTOCOL_VERSION", TOO_OLD),
    ("WRONG_VERSION_NUMBER", f"it speaks plain http at that port: write another in url, {RESTART}"),
    ("RECORD_LAYER_FAILURE", f"it speaks plain http at that port: write another in url, {RESTART}"),
    ("illegal status line: bytearray(b'\\x15", WANTS_TLS),  # a TLS alert (RFC 8446 5.1)
)
REFUSED_WITH = (  # how nginx and Apache say it, with status 400
    ("plain HTTP request was sent to HTTPS port", WANTS_TLS),
    ("speaking plain HTTP to an SSL-enabled server port", WANTS_TLS),
    ("No required SSL certificate was sent", WANTS_CERTIFICATE),
    ("The SSL certificate error", WANTS_CERTIFICATE),
)


def fault_in(error: Exception) -> str:
    """What is wrong with TLS if that made a request fail; "" if it is something else."""
    said = str(error)
    return next((words for fragment, words in TLS_FAULTS if fragment in said), "")


def cure_said_in(refusal: bytes) -> str:
    """The cure if a web server says with 400 that a request has the wrong encryption, else ""."""
    said = refusal.decode("utf-8", "replace")
    return next((cure for fragment, cure in REFUSED_WITH if fragment in said), "")
