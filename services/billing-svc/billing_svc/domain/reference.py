"""The payment reference of an invoice: an RF creditor reference (ISO 11649), whose check digits catch a wrong digit."""

import re

_SHAPE = re.compile(r"RF[0-9]{2}[A-Z0-9]{1,21}")
_OURS = re.compile(r"([A-Z]{2,6})([0-9]{4})([0-9]{6,})")


def payment_reference(number: str) -> str:
    """`INV-2026-000001` -> `RF04INV2026000001`: what the payer quotes. Always the same for a number, and of no other."""
    body = "".join(character for character in number.upper() if character.isascii() and character.isalnum())[:21]
    return f"RF{98 - _mod97(body + 'RF00'):02d}{body}"


def printed(reference: str) -> str:
    """In groups of four, as it is printed on paper."""
    return " ".join(reference[place : place + 4] for place in range(0, len(reference), 4))


def is_reference(text: str) -> bool:
    """Whether it has the shape of an RF reference and its check digits are right."""
    return _SHAPE.fullmatch(text) is not None and _mod97(text[4:] + text[:4]) == 1


def number_of(reference: str) -> str | None:
    """The invoice number in a reference of ours; None for one that is not, or whose check digits are wrong."""
    plain = re.sub(r"\s", "", reference).upper()
    found = _OURS.fullmatch(plain[4:]) if is_reference(plain) else None
    return f"{found[1]}-{found[2]}-{found[3]}" if found else None


def numbers_of_references(text: str) -> list[str]:
    """The invoice numbers that right references anywhere in a text lead to, each once."""
    found: list[str] = []
    for match in re.finditer(r"(?<![A-Z0-9])RF(?= ?[0-9]{2})", text.upper()):
        # Blanks may stand within; the reference ends where it is right, so every length is tried, the longest first.
        plain = re.sub(r"\s", "", text.upper()[match.start() : match.start() + 60])[:25]
        for length in range(len(plain), 14, -1):
            number = number_of(plain[:length])
            if number is not None:
                found.append(number)
                break
    return list(dict.fromkeys(found))


def _mod97(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97
