"""Mail that leaves with the commit: `post` writes a row in the caller's transaction, a sender hands it to an SMTP server.

    await mailroom.post(tx, Mail(to="anna@example.com", subject="Your quote", text="...", kind="quote", dedupe_key=f"quote/{id}"))

A service opts in with `Service(..., mails=True)`: the sender runs, `/v1/mails` shows and decides what needs a person, and
`/metrics` counts. Without LTC_SMTP_HOST mails wait. docs/adr tells why a crash never sends a mail twice.
"""

from ltc_chassis.mailroom.letter import Attachment, BadAddress, Mail, UnsafeHeader, check_address
from ltc_chassis.mailroom.sender import retention, sender
from ltc_chassis.mailroom.store import Posted, forget, list_to, post, withdraw

__all__ = [
    "Attachment",
    "BadAddress",
    "Mail",
    "Posted",
    "UnsafeHeader",
    "check_address",
    "forget",
    "list_to",
    "post",
    "retention",
    "sender",
    "withdraw",
]
