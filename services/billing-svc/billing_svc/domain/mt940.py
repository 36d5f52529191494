"""MT940, the statement of SWIFT, in the dialects of several banks.

Its own reader, since a refusal names the line, an unknown or misplaced field is never skipped in silence, and a file is read in
parts. Dialects: envelopes ({1:...} or bare lines) around statements, `:61:` without the entry date or with long references, `:86:` as
free text, as `?20` subfields (Germany) or as `/EREF/` words (Netherlands).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from billing_svc.domain.bank_statement import (
    LONGEST_TEXT,
    BankEntry,
    BankItem,
    Begins,
    Ends,
    StatementUnreadable,
    Told,
    account_of,
    clean,
)

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,15},[0-9]{0,4})")
_ENTRY = re.compile(
    r"([0-9]{6})([0-9]{4})?(R?[CD])([A-Z])?([0-9]{1,15},[0-9]{0,4})([A-Z][A-Z0-9]{3})([^\n]*?)(?://([^\n]*))?(?:\n(.*))?",
    re.DOTALL,
)
_END = re.compile(r"-(\}.*|[A-Z]{0,3})")
_IBAN = re.compile(r"(?<![A-Z0-9])([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})(?![A-Z0-9])")
_SUBFIELD = re.compile(r"\?([0-9]{2})")
_SEPA = re.compile(r"(EREF\+|KREF\+|MREF\+|CRED\+|DEBT\+|SVWZ\+|ABWA\+|ABWE\+|COAM\+|OAMT\+|IBAN\+|BIC\+|MTLG:)")
_SLASH = re.compile(r"/(TRTP|IBAN|BIC|NAME|REMI|EREF|CSID|MARF|ORDP|BENM|CNTP|USTD|STRD|CDTRREFTP|CDTRREF|PREF|RTRN)/")
_SKIPPED = {"13", "13D", "21", "34F", "64", "65", "90C", "90D", "NS"}
_MOST_LINES_OF_A_FIELD = 200


@dataclass(slots=True)
class _Field:
    line: int
    tag: str
    text: str
    more: list[str] = field(default_factory=list)

    @property
    def whole(self) -> str:
        return "\n".join([self.text, *self.more])


def read(text: str) -> Iterator[Told]:
    """The statements of a file. Raises `StatementUnreadable` with the line and the field."""
    account, number = "", ""
    opened: Money | None = None
    entry: _Field | None = None
    began = closed = False
    for one in _fields(text):
        if one.tag == "20":
            _require(not began or closed, one, "a statement begins within another one")
            account, number, opened, began, closed = "", "", None, True, False
        elif not began:
            raise _fault(one, "a statement begins with :20:")
        elif one.tag == "25":
            _require(not account and opened is None, one, "the account is told twice")
            account = account_of(one.text)
            _require(bool(account), one, "the account is empty")
        elif one.tag in ("28", "28C"):
            number = clean(one.text, 40)
        elif one.tag in ("60F", "60M"):
            _require(bool(account), one, "the account (:25:) is missing")
            _require(opened is None, one, "the opening balance is told twice")
            opened = _balance(one)
            yield Begins(one.line, "mt940", account, number, number, opened)
        elif one.tag == "61":
            opened = _opened(one, opened, closed=closed)
            if entry is not None:
                yield _entry(entry, None, opened.currency)
            entry = one
        elif one.tag == "86":
            _require(opened is not None, one, "there is nothing yet that it could tell of")
            if entry is not None and opened is not None:
                yield _entry(entry, one, opened.currency)
                entry = None
        elif one.tag in ("62F", "62M"):
            opened = _opened(one, opened, closed=closed)
            if entry is not None:
                yield _entry(entry, None, opened.currency)
                entry = None
            closed = True
            yield Ends(one.line, _balance(one))
        elif one.tag not in _SKIPPED:
            raise _fault(one, "is no field of MT940")
    last = _Field(text.count("\n") + 1, "62F", "")
    _require(began, _Field(1, "20", ""), "there is no statement in it")
    _require(closed, last, "the file ends before the closing balance")


def _opened(one: _Field, opened: Money | None, *, closed: bool) -> Money:
    if opened is None:
        raise _fault(one, "the opening balance (:60F:) is missing")
    _require(not closed, one, "comes after the closing balance")
    return opened


def _fields(text: str) -> Iterator[_Field]:
    """Fields with the lines that continue them; what stands around statements is left out."""
    current: _Field | None = None
    inside = closed = False
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.rstrip("\r")
        found = _TAG.fullmatch(bare)
        if found is not None:
            if current is not None:
                yield current
            current = _Field(number, found[1], found[2])
            if found[1] == "20":
                inside, closed = True, False
            closed = closed or found[1].startswith("62")
        elif closed and _END.fullmatch(bare.strip()):
            if current is not None:
                yield current
            current, inside = None, False
        elif inside and current is not None:
            if len(current.more) >= _MOST_LINES_OF_A_FIELD:
                raise _fault(current, f"has more than {_MOST_LINES_OF_A_FIELD} lines")
            current.more.append(bare)
        elif bare.startswith(":"):
            raise StatementUnreadable("is no field of MT940", line=number, element=bare[:6])
    if current is not None:
        yield current


def _balance(one: _Field) -> Money:
    found = _BALANCE.fullmatch(one.text.strip())
    if found is None:
        raise _fault(one, "is no balance like C261231EUR1234,56")
    _day(one, found[2])
    amount = _money(one, found[4], found[3])
    return amount if found[1] == "C" else -amount


def _entry(one: _Field, told: _Field | None, currency: str) -> BankEntry:
    found = _ENTRY.fullmatch(one.whole.strip())
    if found is None:
        raise _fault(one, "is no entry like 2612311231C1234,56NTRFreference//bank's")
    valued, amount = _day(one, found[1]), _money(one, found[5], currency)
    booked = _near(one, valued, found[2]) if found[2] else valued
    reference = clean(found[7], 35)
    parts = _parts(told.whole if told else "")
    name, account = parts.get("name", ""), parts.get("account", "")
    if not account and _IBAN.fullmatch(reference):
        # Some tell the other account here, and its owner on the next line.
        name, account, reference = found[9] or "", reference, ""
    end_to_end = parts.get("end_to_end_id", "")
    text = parts.get("text", "")
    if reference not in ("", "NONREF", "KREF+") and reference not in text:
        text = f"{text} {reference}".strip()
    item = BankItem(
        amount=amount,
        party=clean(name, 140),
        party_account=account_of(account),
        end_to_end_id=clean(end_to_end, 80),
        references=(clean(parts["reference"], 80),) if parts.get("reference") else (),
        text=clean(text),
        return_reason=clean(parts.get("return", ""), 40),
    )
    return BankEntry(
        line=one.line,
        amount=amount,
        # RC takes back a credit: the money moves out.
        credit=found[3] in ("C", "RD"),
        reversal=found[3].startswith("R"),
        booked_on=booked,
        valued_on=valued,
        items=(item,),
        bank_reference="" if (found[8] or "").strip() in ("", "NONREF") else clean(found[8], 80),
        code=clean(found[6], 10),
    )


def _parts(text: str) -> dict[str, str]:
    """What a `:86:` tells: text, name, account, end_to_end_id, reference, return."""
    plain = text.replace("\n", "")
    if re.match(r"[0-9]{3}\?[0-9]{2}", plain):
        return _subfields(plain)
    if _SLASH.search(plain):
        return _words(plain)
    found = next((iban[1] for iban in _IBAN.finditer(plain.upper()) if is_iban(iban[1])), "")
    first = text.split("\n", 1)[0].strip()
    name = first[len(found) :].strip() if found and first.upper().startswith(found) else ""
    return {"text": _unwrapped(text), "account": found, "name": name}


def _subfields(plain: str) -> dict[str, str]:
    pieces = _SUBFIELD.split(plain)
    given: dict[str, list[str]] = {}
    for code, value in zip(pieces[1::2], pieces[2::2], strict=True):
        given.setdefault(code, []).append(value)
    purpose = "".join("".join(values) for code, values in sorted(given.items()) if "20" <= code <= "29" or "60" <= code <= "63")
    known = {"name": "".join(given.get("32", []) + given.get("33", [])), "account": "".join(given.get("31", []))}
    known["return"] = "".join(given.get("34", [])) if "RETOURE" in "".join(given.get("00", [])) else ""
    words = _SEPA.split(purpose)
    said = dict(zip(words[1::2], words[2::2], strict=True))
    known["end_to_end_id"] = said.get("EREF+", "").strip()
    known["text"] = " ".join(part.strip() for part in (words[0], said.get("SVWZ+", ""), said.get("MTLG:", "")) if part.strip())
    if not known["account"]:
        known["account"] = said.get("IBAN+", "")
    return known


def _words(plain: str) -> dict[str, str]:
    pieces = _SLASH.split(plain)
    said = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    reference = said.get("CDTRREF", "")
    text = said.get("USTD") or said.get("REMI") or ""
    return {
        "text": f"{pieces[0]} {text}".strip(),
        "name": said.get("NAME", ""),
        "account": said.get("IBAN", ""),
        "end_to_end_id": "" if said.get("EREF", "") == "NOTPROVIDED" else said.get("EREF", ""),
        "reference": reference,
        "return": said.get("RTRN", ""),
    }


def _unwrapped(text: str) -> str:
    """Lines are cut at their 65th character (with or without the tag), in the middle of a word; shorter ones end by themselves."""
    made, last = "", 0
    for line in text.split("\n"):
        made += line if last >= 60 else f" {line}"
        last = len(line)
    return re.sub(r" {2,}", " ", made).strip()[:LONGEST_TEXT]


def is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 13616, mod 97)."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _near(one: _Field, valued: date, month_day: str) -> date:
    """The entry date has no year: that nearest to the value date."""
    month, day = int(month_day[:2]), int(month_day[2:])
    try:
        return min((date(year, month, day) for year in _years(valued, month, day)), key=lambda each: abs(each - valued))
    except ValueError as error:
        raise _fault(one, f"'{month_day}' is no day") from error


def _years(valued: date, month: int, day: int) -> list[int]:
    # The 29th of February is only there in some years.
    leap = month == 2 and day == 29
    return [
        year for year in range(valued.year - 1, valued.year + 2) if not leap or (date(year, 3, 1) - timedelta(days=1)).day == 29
    ]


def _day(one: _Field, text: str) -> date:
    year = int(text[:2])
    try:
        return date(year + (2000 if year < 80 else 1900), int(text[2:4]), int(text[4:]))
    except ValueError as error:
        raise _fault(one, f"'{text}' is no day") from error


def _money(one: _Field, text: str, currency: str) -> Money:
    try:
        return Money.of(text.replace(",", ".") + ("0" if text.endswith(",") else ""), currency)
    except Invalid as error:
        raise _fault(one, error.reason) from error


def _require(holds: bool, one: _Field, reason: str) -> None:
    if not holds:
        raise _fault(one, reason)


def _fault(one: _Field, reason: str) -> StatementUnreadable:
    return StatementUnreadable(reason, line=one.line, element=f":{one.tag}:")
