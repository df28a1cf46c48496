"""Tell alarms to people, by e-mail."""

import logging
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hilum.config.fields import Port, is_loopback
from hilum.config.kinds import NotifierSettings
from hilum.errors import RESTART, ConfigurationError, NotificationError
from hilum.notifiers import AlarmMessage, AlarmNews, encryption_of
from hilum.privacy import secret_in
from hilum.severity import AlarmChange, Severity
from hilum.wording import counted


def _mail_address(value: str) -> str:
    name, at, host = value.partition("@")
    if not (name and at and host) or not value.isprintable() or " " in value:
        raise ValueError("an address such as pacs@hospital.example")
    return value


MailAddress = Annotated[str, AfterValidator(_mail_address)]
log = logging.getLogger(__name__)

Security = Literal["starttls", "tls", "plain"]


class EmailNotifierSettings(NotifierSettings):
    """People who are told by e-mail, and the server that takes it."""

    kind: Literal["email"] = Field("email", description="People are told by e-mail.")
    host: str = Field(description="Mail server (SMTP).", examples=["mail.hospital.example"])
    port: Port = Field(587, description="Its port: mostly 587 for starttls, 465 for tls.")
    security: Security = Field(
        "starttls",
        description="Encrypt after a greeting (starttls), from the start (tls), or not (plain).",
    )
    username: str = Field("", description="User name at the mail server; empty means no login.")
    password_file: Path | None = Field(None, description="File holding the password.")
    sender: MailAddress = Field(
        description="Address that messages come from.", examples=["hilum@hospital.example"]
    )
    recipients: tuple[MailAddress, ...] = Field(
        min_length=1, description="Who is told.", examples=[["pacs@hospital.example"]]
    )

    @model_validator(mode="after")
    def _sends_no_password_in_plain(self) -> "EmailNotifierSettings":
        if self.username and self.security == "plain" and not is_loopback(self.host):
            raise ValueError(
                'security = "plain" would send the password unencrypted: set security = "starttls"'
                ' or "tls"'
            )
        return self

    def check(self) -> None:
        super().check()
        self.password()

    def password(self) -> str:
        """The password in the file that is named, "" if none is.

        Raises
        ------
        ConfigurationError
            The file cannot be used; the text says the cure.
        """
        if not self.password_file:
            return ""
        try:
            return secret_in(self.password_file)
        except ConfigurationError as error:
            raise ConfigurationError(f"notify {self.name}: password_file: {error}") from error


class EmailNotifier:
    """Sends one mail for each message."""

    settings = EmailNotifierSettings

    def __init__(self, settings: EmailNotifierSettings) -> None:
        self._settings = settings

    def send(self, message: AlarmMessage) -> None:
        try:
            with self._connected() as server:
                if self._settings.username:
                    server.login(self._settings.username, self._settings.password())
                refused = server.send_message(self._mail(message))
        except ConfigurationError as error:  # the file was changed since the start
            raise NotificationError(str(error)) from error
        except (OSError, smtplib.SMTPException) as error:  # the second is one of the first
            raise NotificationError(f"{self._settings.name}: {_why(error)}") from error
        if refused:  # the others have been told, and would be told once more
            log.warning(
                "notifier %s: the server takes no mail to %d of the recipients: correct "
                "recipients, %s",
                self._settings.name,
                len(refused),
                RESTART,
            )

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        to, wait = (settings.host, settings.port), settings.timeout_seconds
        if settings.security == "tls":
            return smtplib.SMTP_SSL(*to, timeout=wait, context=encryption_of(settings))
        server = smtplib.SMTP(*to, timeout=wait)
        try:
            if settings.security == "starttls":
                server.starttls(context=encryption_of(settings))
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: AlarmMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject_of(message)
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.recipients)
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
        mail["Message-ID"] = f"<{message.id}@{self._settings.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer that one is on holiday
        mail.set_content(text_of(message))
        return mail


def subject_of(message: AlarmMessage) -> str:
    """What a reader sees first: the host, the gravest alarm that began, and how many others."""
    began = [news for news in message.news if not news.has_ended]
    first = max(began or message.news, key=lambda news: list(Severity).index(news.severity))
    said = f"{first.alarm}: {'over' if first.has_ended else first.severity}"
    more = len(message.news) - 1
    return f"Hilum on {message.sender}: {said}" + (f", and {more} more" if more else "")


def text_of(message: AlarmMessage) -> str:
    """The mail: what has begun, then what is over."""
    in_order = sorted(message.news, key=lambda news: news.has_ended)
    parts = [f"This is Hilum on {message.sender}.", *map(_paragraph, in_order)]
    return "\n\n".join([*parts, "`hilum status` shows every alarm that stands."]) + "\n"


def _paragraph(news: AlarmNews) -> str:
    if news.has_ended:
        return f"OVER: {news.alarm}, {_moment(news.since)} to {_moment(news.at)}\n{news.text}"
    still = "still, " if news.change is AlarmChange.STILL else ""
    lines = [f"{news.severity.upper()}: {news.alarm}, {still}since {_moment(news.since)}"]
    lines.append(news.text)
    lines.append(f"What to do: {news.cure}")
    if news.studies:
        lines.append(f"It is about {counted(news.studies, 'study')}.")
    return "\n".join([*lines, *news.study_uids])


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%F %T %Z")


def _distrust(problem: str) -> str:
    """What to do about a certificate that OpenSSL does not trust for this reason."""
    if "match" in problem:
        return f"its certificate is for another name: write that name in host, {RESTART}"
    if "expired" in problem:
        return "its certificate has expired: have it renewed there"
    return UNTRUSTED_SERVER


def _why(error: Exception) -> str:
    """What went wrong and what to do, without the words of the server: they may hold addresses."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"user name or password are wrong: correct username, password_file, {RESTART}"
        case smtplib.SMTPNotSupportedError():
            return f"the server does not offer that: correct security or username, {RESTART}"
        case smtplib.SMTPSenderRefused(smtp_code=code):
            return f"the server does not take mail from sender ({code}): correct sender, {RESTART}"
        case smtplib.SMTPRecipientsRefused():
            return f"the server takes mail to none of recipients: correct recipients, {RESTART}"
        case smtplib.SMTPResponseException(smtp_code=code):
            return f"the mail server answers {code}: look into its log"
        case ssl.SSLCertVerificationError():
            return _distrust(error.verify_message)
        case ssl.SSLError():
            return f"it does not speak TLS there: correct port or security, {RESTART}"
    cure = f"correct host, port or security, {RESTART}"
    return f"the mail server cannot be reached ({type(error).__name__}): {cure}"


UNTRUSTED_SERVER = (
    "the certificate of the mail server is not trusted: name who signed it as ca_file in tls, or "
    f"add it to the system's certificates, {RESTART}"
)
