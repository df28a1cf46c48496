"""How a cure names what is to be changed on our side: settings of a service, or options typed."""

from dataclasses import dataclass

from hilum.errors import RESTART


@dataclass(frozen=True)
class OurSide:
    """The words for it; `then` is what has to follow after a change, with a comma before it."""

    ae_title: str
    set_tls: str
    without_tls: str
    authority: str
    certificate: str
    or_check_no_name: str
    then: str


SETTINGS = OurSide(
    ae_title="ae_title",
    set_tls="set tls",
    without_tls="leave tls out",
    authority="tls.ca_file",
    certificate="set tls.certificate_file and tls.key_file",
    or_check_no_name=", or set tls.check_host = false",
    then=f", {RESTART}",
)
COMMAND = OurSide(
    ae_title="what you type before @",
    set_tls="give --tls-ca",
    without_tls="leave --tls-ca out",
    authority="--tls-ca",
    certificate="give --tls-certificate and --tls-key",
    or_check_no_name="",
    then="",
)
