"""A bank's file: what it is, and its statements one after the other."""

from collections.abc import Iterator

from billing_svc.domain import camt, mt940
from billing_svc.domain.bank_statement import StatementUnreadable, Told

LARGEST = 20 * 1024 * 1024
_ZIPPED = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"\xfd7zXZ")


def check(content: bytes) -> None:
    """Raise `StatementUnreadable` for what is empty, or an archive: these are not even kept."""
    if not content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n"):
        raise StatementUnreadable("the file is empty", line=1, element="file")
    if content.startswith(_ZIPPED):
        raise StatementUnreadable("archives are not taken: send the files in it", line=1, element="file")


def read(content: bytes) -> Iterator[Told]:
    """XML is read as camt, anything else as MT940. Raises `StatementUnreadable` with line and element."""
    check(content)
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<") or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return camt.read(content)
    return mt940.read(_text(content))


def _text(content: bytes) -> str:
    """Banks write UTF-8, or a code page of one byte a character."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
