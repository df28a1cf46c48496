"""Every kind of notifier keeps the same promises, and tells what it is to tell."""

import base64
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hilum.cli import app
from hilum.config import parse
from hilum.config.kinds import NotifierSettings
from hilum.errors import ConfigurationError, NotificationError
from hilum.kinds import NOTIFIERS
from hilum.notifiers import open_notifier
from hilum.notifiers.webhook import WebhookNotifier
from hilum.testing import a_message, check_notifier
from hilum.transport.signing import signed
from hilum_lab.network.processes import available_port
from tests.certificates import SelfSigned

from .servers import Hook, mail_server, web_hook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the examples of the specification
MAIL = {
    "name": "mail",
    "kind": "email",
    "host": "127.0.0.1",
    "sender": "hilum@hospital.example",
    "recipients": ["pacs@hospital.example", "night@hospital.example"],
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    return SelfSigned.make(tmp_path_factory.mktemp("tls"))


def secret_file(folder: Path, text: str = SECRET) -> str:
    file = folder / "secret"
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return str(file)


def settings_of(**values: Any) -> NotifierSettings:
    (settings,) = parse({"notify": [values]}).notify
    settings.check()
    return settings


def a_hook(folder: Path, url: str, **values: Any) -> NotifierSettings:
    secret = secret_file(folder)
    return settings_of(name="ops", kind="webhook", url=url, secret_file=secret, **values)


@pytest.fixture(params=NOTIFIERS.names)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, list[Any]]]:
    """A notifier of each kind, and what came where it tells."""
    if request.param == "webhook":
        with web_hook() as hook:
            yield open_notifier(a_hook(tmp_path, hook.url)), hook.posts
        return
    with mail_server() as post:
        settings = settings_of(**MAIL, port=post.port, security="plain")
        yield open_notifier(settings), post.taken


def test_it_keeps_the_promises(opened: tuple[Any, list[Any]]) -> None:
    notifier, came = opened
    check_notifier(notifier)
    assert len(came) == 3


# Web-hooks ----------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_specification() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    body = b'{"test": 2432232314}'
    headers = signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.7, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_another_program_verifies_what_came(tmp_path: Path) -> None:
    """OpenSSL, over the bytes that went through the network."""
    message = a_message()
    with web_hook() as hook:
        for at in (1_800_000_000.0, 1_800_000_060.0):
            settings: Any = a_hook(tmp_path, hook.url)
            WebhookNotifier(settings, clock=lambda at=at: at).send(message)  # type: ignore[misc]
    (first, body), (second, same) = hook.posts
    assert (body, first["webhook-id"]) == (same, second["webhook-id"]) == (same, message.id)
    assert [int(h["webhook-timestamp"]) for h in (first, second)] == [1_800_000_000, 1_800_000_060]
    key = base64.b64decode(SECRET.removeprefix("whsec_")).hex()
    for headers in (first, second):
        (tmp_path / "content").write_bytes(
            f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        )
        command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}"]
        command += ["-binary", str(tmp_path / "content")]
        made = subprocess.run(command, check=True, capture_output=True).stdout
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(made).decode()}"
    told = json.loads(body)
    assert (told["type"], told["data"]["sender"]) == ("alarms.changed", "host")
    assert told["data"]["alarms"][0] == {
        "id": "a1",
        "alarm": "destination pacs",
        "severity": "error",
        "change": "began",
        "since": "2027-01-15T08:00:00+00:00",
        "at": "2027-01-15T08:05:00+00:00",
        "text": "destination pacs does not answer",
        "cure": "call it",
        "studies": 2,
    }
    assert told["data"]["alarms"][1]["change"] == "ended"


@pytest.mark.parametrize("status", [301, 400, 410, 500])
def test_an_answer_that_is_no_success_is_told_with_the_cure(tmp_path: Path, status: int) -> None:
    with web_hook() as hook:
        hook.status = status
        with pytest.raises(NotificationError, match=rf"^ops: HTTP {status}: look into the log "):
            open_notifier(a_hook(tmp_path, hook.url)).send(a_message())
    assert len(hook.posts) == 1, "a redirection is not followed: it may lead anywhere"


def test_a_hook_that_hangs_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NotificationError, match="ops: cannot be reached"):
            open_notifier(a_hook(tmp_path, url, timeout_seconds=0.2)).send(a_message())


def test_a_hook_is_told_by_tls_only_if_its_certificate_is_trusted(
    tmp_path: Path, certificate: SelfSigned
) -> None:
    with web_hook(certificate) as hook:
        notifier = open_notifier(a_hook(tmp_path, hook.url))
        with pytest.raises(NotificationError, match="certificate is not trusted: name who signed"):
            notifier.send(a_message())
        with certificate.trusted():
            notifier.send(a_message())
    assert len(hook.posts) == 1


def test_an_answer_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    with web_hook() as hook:
        hook.is_endless = True
        open_notifier(a_hook(tmp_path, hook.url)).send(a_message())
    assert len(hook.posts) == 1


@pytest.mark.parametrize("kind", ["email", "webhook"])
def test_half_of_a_renewed_certificate_is_told_with_the_cure(
    tmp_path: Path, certificate: SelfSigned, kind: str
) -> None:
    own = tmp_path / "own.pem"
    own.write_bytes(certificate.certificate.read_bytes())
    tls = {"tls": {"certificate_file": own, "key_file": certificate.key}}
    settings = (
        settings_of(**MAIL, **tls, port=available_port(), security="tls")
        if kind == "email"
        else a_hook(tmp_path, f"https://127.0.0.1:{available_port()}", **tls)
    )
    own.write_text("half")
    with pytest.raises(NotificationError, match=r"^\w+: a file of tls cannot be used .*: put a"):
        open_notifier(settings).send(a_message())


@pytest.mark.parametrize(
    "text", [None, "", "secret", "whsec_", "whsec_AAAA", "whsec_!", SECRET[6:]]
)
def test_a_secret_that_cannot_be_used_is_refused_with_a_command_that_makes_one(
    tmp_path: Path, text: str | None
) -> None:
    file = str(tmp_path / "the secret")
    if text is not None:
        Path(file).write_text(text)
        Path(file).chmod(0o600)
    hook = {"name": "ops", "kind": "webhook", "url": "http://127.0.0.1:1", "secret_file": file}
    with pytest.raises(ConfigurationError) as refused:
        settings_of(**hook)
    (command,) = re.findall(r"`(\(umask [^`]+)`", str(refused.value))
    subprocess.run(command, shell=True, check=True)
    assert settings_of(**hook).name == "ops"
    Path(file).chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        settings_of(**hook)


# E-mail -------------------------------------------------------------------------------------------


def test_a_mail_says_what_began_first_and_what_is_over(tmp_path: Path) -> None:
    with mail_server() as post:
        open_notifier(settings_of(**MAIL, port=post.port, security="plain")).send(a_message())
    (mail,) = post.taken
    assert mail["Subject"] == "Hilum on host: destination pacs: error, and 1 more"
    assert mail["To"] == "pacs@hospital.example, night@hospital.example"
    assert mail["Message-ID"] == f"<{a_message().id}@hospital.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content().replace("\r\n", "\n")
    assert text.startswith("This is Hilum on host.\n\nERROR: destination pacs, since 2027-01-15")
    assert "\nWhat to do: call it\nIt is about 2 studies.\n" in text
    assert text.index("ERROR: destination pacs") < text.index("OVER: disk, 2027-01-15")


def secure(post_port: int, folder: Path, security: str, password: str) -> NotifierSettings:
    account = {"username": "hilum", "password_file": secret_file(folder, password)}
    return settings_of(**MAIL, **account, port=post_port, security=security)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_goes_by_tls_and_only_to_whom_we_trust(
    tmp_path: Path, certificate: SelfSigned, security: str
) -> None:
    with mail_server(certificate, security == "tls", password="right") as post:
        notifier = open_notifier(secure(post.port, tmp_path, security, "right"))
        with pytest.raises(NotificationError, match="certificate of the mail server is not trust"):
            notifier.send(a_message())
        with certificate.trusted():
            notifier.send(a_message())
            secret_file(tmp_path, "wrong")
            with pytest.raises(NotificationError, match="user name or password are wrong: correct"):
                notifier.send(a_message())
            secret_file(tmp_path, "right")
            notifier.send(a_message())
    assert len(post.taken) == 2


def test_what_is_wrong_with_the_mail_server_is_said(
    certificate: SelfSigned, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(**values: Any) -> str:
        with pytest.raises(NotificationError) as error:
            open_notifier(settings_of(**{**MAIL, **values})).send(a_message())
        assert "hospital.example" not in str(error.value)
        return str(error.value)

    with mail_server() as post:
        to = {"port": post.port}
        assert "does not offer that: correct security" in refused(**to)
        assert "it does not speak TLS there: correct port or security" in refused(
            **to, security="tls"
        )
        post.refused = "pacs@hospital.example"
        alone = {"recipients": [post.refused], "security": "plain"}
        assert "takes mail to none of recipients: correct recipients" in refused(**to, **alone)
        open_notifier(settings_of(**MAIL, **to, security="plain")).send(a_message())
        assert len(post.taken) == 1, "who is known is told"
        both = {"recipients": [post.refused, "known@hospital.example"], "security": "plain"}
        open_notifier(settings_of(**{**MAIL, **to, **both})).send(a_message())
        assert len(post.taken) == 2
        assert "takes no mail to 1 of the recipients: correct recipients" in caplog.text
        assert "hospital.example" not in caplog.text
    assert "cannot be reached (ConnectionRefusedError): correct host" in refused(**to)
    with mail_server(certificate, password="right") as post:
        said = refused(port=post.port, security="plain")
        assert re.search(r"answers 5\d\d: look into its log|sender \(5\d\d\)", said)


@pytest.mark.parametrize("host", ["mail.hospital.example", "10.0.0.1"])
def test_a_password_is_never_sent_in_plain_to_another_machine(host: str, tmp_path: Path) -> None:
    values = {**MAIL, "username": "hilum", "password_file": secret_file(tmp_path)}
    with pytest.raises(ConfigurationError, match='set security = "starttls" or "tls"'):
        settings_of(**{**values, "host": host, "security": "plain"})
    for cure in ("starttls", "tls"):
        assert settings_of(**{**values, "host": host, "security": cure})
    assert settings_of(**{**values, "host": "localhost", "security": "plain"})


@pytest.mark.parametrize("address", ["pacs", "@x", "a b@x", "a@x\nBcc: b@x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="recipients 1: an address such as") as raised:
        settings_of(**{**MAIL, "recipients": [address]})
    assert "empty" not in str(raised.value)


# The command --------------------------------------------------------------------------------------

Typed = Callable[[str], tuple[int, str]]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    def type_it(words: str) -> tuple[int, str]:
        line = [*words.split(), "-c", str(tmp_path / "hilum.toml")]
        done = CliRunner().invoke(app, line, env={"COLUMNS": "999"})
        return done.exit_code, done.output + str(done.exception or "")

    return type_it


def test_a_trial_says_who_was_told_and_who_was_not(tmp_path: Path, typed: Typed) -> None:
    def defined(hook: Hook) -> str:
        return (
            f'[[notify]]\nname = "ops"\nkind = "webhook"\nurl = "{hook.url}"\n'
            f'secret_file = "{secret_file(tmp_path)}"\n[[notify]]\nname = "mail"\nkind = "email"\n'
            f'host = "127.0.0.1"\nport = {available_port()}\nsender = "a@b"\nrecipients = ["a@b"]\n'
        )

    config = tmp_path / "hilum.toml"
    with web_hook() as hook:
        config.write_text("")
        assert "defines no [[notify]] at all: add one" in typed("notify")[1]
        config.write_text(defined(hook))
        status, said = typed("notify")
        assert status == 1
        assert "notifier ops (webhook)\n  has taken a message\n" in said
        assert "notifier mail (email)\n  mail: the mail server cannot be reached" in said
        assert typed("notify ops")[0] == 0
        status, said = typed("notify ops --json")
        assert json.loads(said) == [
            {"name": "ops", "kind": "webhook", "told": True, "answer": "has taken a message"}
        ]
        assert typed("notify op")[0] == 1
    assert [json.loads(body)["data"]["alarms"][0]["alarm"] for _, body in hook.posts] == [
        "trial"
    ] * 3
