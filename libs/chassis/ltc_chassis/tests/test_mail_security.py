"""The line to the mail server is protected, and the password goes to the server that is trusted alone."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ltc_chassis import mailroom
from ltc_chassis.db import Database
from ltc_chassis.runtime import Runtime
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.testing_mail import MailServer, serving, use
from ltc_chassis.tests.test_mailroom import mail, post, states


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key in one PEM file, for 127.0.0.1, trusted by nobody who is not told."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.acme.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    return path


# The server does not see that TLS was there before it, and warns.
@pytest.mark.filterwarnings("ignore:.*AUTH.*:UserWarning")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_line_is_protected_and_signed_in_with_the_secret(
    runtime: Runtime, db: Database, certificate: Path, secrets_dir: Path, security: str
) -> None:
    (secrets_dir / "mail-password").write_text("s3cret\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def authenticate(_: Any, __: Any, ___: Any, ____: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=given.password == b"s3cret", auth_data=given.login)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True}
    if security == "tls":
        options |= {"tls": context, "auth_require_tls": False}
    else:
        options |= {"tls_context": context, "require_starttls": True}
    sender = mailroom.sender()
    async with serving(MailServer(), **options) as server:
        sign_in = {"smtp_user": "ltc", "smtp_password_secret": "mail-password"}
        use(runtime, **server.settings | {"smtp_security": security} | sign_in)
        await post(db, mail())
        assert await sender.work(runtime) == 0
        assert await states(db) == [("waiting", 0)]  # whoever that is, it is not the server we trust
        use(runtime, smtp_ca_file=certificate)
        assert await mailroom.sender().work(runtime) == 1
        [got] = server.received
        assert (got.user, got.protected or security == "tls") == ("ltc", True)
        (secrets_dir / "other").write_text("wrong")
        # After a refusal the client asks in another way, and this server leaves it waiting for an answer.
        use(runtime, smtp_password_secret="other", smtp_timeout_s=2.0)
        await post(db, mail())
        assert await mailroom.sender().work(runtime) == 0
        assert await states(db) == [("sent", 1), ("waiting", 0)]


def test_settings_that_would_tell_the_password_to_everybody_are_refused() -> None:
    given: dict[str, Any] = {"postgres_dsn": "x", "auth_public_key": Path("x"), "smtp_host": "mail"}
    with pytest.raises(ValueError, match="LTC_MAIL_FROM"):
        ChassisSettings(**given)
    with pytest.raises(ValueError, match="unprotected"):
        ChassisSettings(**given, mail_from="a@x.example", smtp_user="u", smtp_security="none")
