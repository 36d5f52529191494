"""camt.053 and camt.054 of ISO 20022, versions 001.02 to 001.13: statements and notifications of booked entries."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from billing_svc.domain import xml_parts
from billing_svc.domain.bank_statement import (
    BankEntry,
    BankItem,
    Begins,
    Ends,
    Kind,
    StatementUnreadable,
    Told,
    account_of,
    clean,
)
from billing_svc.domain.xml_parts import Node

_NAMESPACE = re.compile(r"urn:.{1,60}camt\.05([34])\.001\.([0-9]{2})")
_KINDS: dict[str, tuple[Kind, str, str]] = {
    "3": ("camt.053", "BkToCstmrStmt", "Stmt"),
    "4": ("camt.054", "BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
_NO_REFERENCE = {"NOTPROVIDED", "NOT PROVIDED", "NONREF"}


class _Head:
    """What stands before the entries of a statement."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.account = self.reference = self.sequence = self.currency = ""
        self.balances: dict[str, tuple[Money, int]] = {}
        self.told = False
        self.pending = 0


def read(content: bytes) -> Iterator[Told]:
    """The statements of a message. Raises `StatementUnreadable` with the line and the element."""
    kind: Kind = "camt.053"
    message = group = ""
    head: _Head | None = None
    count = 0
    last = 1
    for part in xml_parts.read(content, whole_at=4):
        if part.depth == 1 and part.event == "begins":
            kind, message, group = _kind(part.name, part.namespace, part.line)
        elif part.depth == 2 and part.name != message:
            raise StatementUnreadable(f"a {kind} message has {message} here", line=part.line, element=part.name[:60])
        elif part.depth == 2:
            last = part.line
        elif part.depth == 3 and part.name == group and part.event == "begins":
            head = _Head(part.line)
            count += 1
        elif part.depth == 3 and part.name == group and head is not None:
            if not head.told:
                yield _begins(kind, head, group)
            yield Ends(part.line, _closing(kind, head), head.pending)
            head = None
        elif head is not None and part.node is not None:
            yield from _of_statement(kind, head, part.node, group)
    if not count:
        raise StatementUnreadable(f"there is no {group} in the message", line=last, element=message)


def _kind(name: str, namespace: str, line: int) -> tuple[Kind, str, str]:
    found = _NAMESPACE.fullmatch(namespace)
    if name != "Document" or found is None or not 2 <= int(found[2]) <= 13:
        raise StatementUnreadable(
            "is no camt.053 or camt.054 of the versions 001.02 to 001.13",
            line=line,
            element=f"{name[:60]} {namespace[:80]}".strip(),
        )
    return _KINDS[found[1]]


def _of_statement(kind: Kind, head: _Head, node: Node, group: str) -> Iterator[Told]:
    if node.name == "Id":
        head.reference = clean(node.text, 80)
    elif node.name in ("ElctrncSeqNb", "LglSeqNb"):
        head.sequence = head.sequence or clean(node.text, 40)
    elif node.name == "Acct":
        head.account = account_of(node.said("Id/IBAN", "Id/Othr/Id"))
        head.currency = node.said("Ccy")
    elif node.name == "Bal":
        _balance(head, node)
    elif node.name == "Ntry":
        if not head.told:
            yield _begins(kind, head, group)
        if node.said("Sts/Cd", "Sts") == "BOOK":
            yield _entry(node)
        else:
            head.pending += 1


def _begins(kind: Kind, head: _Head, group: str) -> Begins:
    head.told = True
    for what, element in ((head.reference, "Id"), (head.account, "Acct")):
        if not what:
            raise StatementUnreadable(f"{element} of the {group} is missing", line=head.line, element=element)
    opening = None
    if kind == "camt.053":
        found = next((head.balances[code] for code in ("OPBD", "PRCD") if code in head.balances), None)
        if found is None:
            raise StatementUnreadable("the opening balance (OPBD or PRCD) is missing", line=head.line, element="Bal")
        opening = found[0]
    return Begins(head.line, kind, head.account, head.reference, head.sequence, opening)


def _closing(kind: Kind, head: _Head) -> Money | None:
    if kind == "camt.054":
        return None
    if "CLBD" not in head.balances:
        raise StatementUnreadable("the closing balance (CLBD) is missing", line=head.line, element="Bal")
    return head.balances["CLBD"][0]


def _balance(head: _Head, node: Node) -> None:
    code = node.said("Tp/CdOrPrtry/Cd")
    if code not in ("OPBD", "PRCD", "CLBD"):
        return
    if code in head.balances:
        raise StatementUnreadable(f"the balance {code} is told twice", line=node.line, element="Bal")
    amount = _amount(node, "Amt")
    head.balances[code] = (amount if _is_credit(node) else -amount, node.line)


def _entry(node: Node) -> BankEntry:
    amount = _amount(node, "Amt")
    credit = _is_credit(node)
    booked = _day(node, "BookgDt") or _day(node, "ValDt")
    if booked is None:
        raise StatementUnreadable("the day of booking is missing", line=node.line, element="BookgDt")
    code = node.said("BkTxCd/Domn/Fmly/SubFmlyCd", "BkTxCd/Prtry/Cd")
    return BankEntry(
        line=node.line,
        amount=amount,
        credit=credit,
        reversal=node.said("RvslInd") in ("true", "1"),
        booked_on=booked,
        valued_on=_day(node, "ValDt") or booked,
        items=_items(node, amount, credit=credit),
        bank_reference=clean(node.said("AcctSvcrRef"), 80),
        code=clean(code, 35),
    )


def _items(entry: Node, amount: Money, *, credit: bool) -> tuple[BankItem, ...]:
    """The payments of an entry where they add up to it; else one of the whole, which a person looks at."""
    details = entry.all("NtryDtls/TxDtls")
    if len(details) == 1:
        return (_item(entry, details[0], amount, credit=credit),)
    if details:
        amounts = [_detail_amount(each, amount.currency) for each in details]
        signs = [each.said("CdtDbtInd") in ("", "CRDT" if credit else "DBIT") for each in details]
        if None not in amounts and all(signs):
            parts = [part for part in amounts if part is not None and part.amount > 0]
            if len(parts) == len(amounts) and Money.total(parts, amount.currency) == amount:
                return tuple(_item(entry, each, part, credit=credit) for each, part in zip(details, parts, strict=True))
    many = entry.said("NtryDtls/Btch/NbOfTxs")
    batch = bool(details) or (many.isdigit() and many.strip("0") not in ("", "1"))
    text = entry.said("AddtlNtryInf", "NtryDtls/Btch/PmtInfId")
    return (BankItem(amount=amount, detailed=not batch, text=clean(text)),)


def _detail_amount(detail: Node, currency: str) -> Money | None:
    """What a payment of a batch is worth in the account's currency; None where that is not told."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        node = detail.find(path)
        if node is not None and node.attributes.get("Ccy") == currency:
            return _money(node, currency)
    return None


def _item(entry: Node, detail: Node, amount: Money, *, credit: bool) -> BankItem:
    # A return undoes a payment of ours or of theirs: who is on the other side stays the same by the direction of the money.
    side, other = ("Dbtr", "Cdtr") if credit else ("Cdtr", "Dbtr")
    if detail.find("RtrInf") is not None or entry.said("RvslInd") in ("true", "1"):
        side, other = (other, side) if detail.find(f"RltdPties/{side}Acct") is None else (side, other)
    end_to_end = clean(detail.said("Refs/EndToEndId"), 80)
    texts = [clean(node.text) for node in detail.all("RmtInf/Ustrd")]
    texts += [clean(node.text) for node in detail.all("RmtInf/Strd/AddtlRmtInf")]
    references = [clean(node.text, 80) for node in detail.all("RmtInf/Strd/CdtrRefInf/Ref")]
    references += [clean(node.text, 80) for node in detail.all("RmtInf/Strd/RfrdDocInf/Nb")]
    return BankItem(
        amount=amount,
        party=clean(detail.said(f"RltdPties/{side}/Nm", f"RltdPties/{side}/Pty/Nm"), 140),
        party_account=account_of(detail.said(f"RltdPties/{side}Acct/Id/IBAN", f"RltdPties/{side}Acct/Id/Othr/Id")),
        end_to_end_id="" if end_to_end.upper() in _NO_REFERENCE else end_to_end,
        references=tuple(reference for reference in references if reference)[:50],
        text=clean(" ".join(text for text in texts if text)) or clean(detail.said("AddtlTxInf") or entry.said("AddtlNtryInf")),
        charges=_charges(entry, detail, amount.currency),
        return_reason=clean(detail.said("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf"), 40)
        or ("RETURN" if detail.find("RtrInf") is not None else ""),
    )


def _charges(entry: Node, detail: Node, currency: str) -> Money | None:
    """What banks kept of the payment, as far as they tell it in the account's currency."""
    for owner in (detail, entry):
        records = owner.all("Chrgs/Rcrd/Amt") or owner.all("Chrgs/Amt")
        told = [_money(node, currency) for node in records if node.attributes.get("Ccy") == currency]
        if told:
            total = Money.total(told, currency)
            return total if total.amount > 0 else None
    return None


def _is_credit(node: Node) -> bool:
    said = node.said("CdtDbtInd")
    if said not in ("CRDT", "DBIT"):
        raise StatementUnreadable("CRDT or DBIT is missing", line=node.line, element="CdtDbtInd")
    return said == "CRDT"


def _amount(node: Node, path: str) -> Money:
    found = node.find(path)
    if found is None:
        raise StatementUnreadable("the amount is missing", line=node.line, element=path)
    return _money(found, found.attributes.get("Ccy", ""))


def _money(node: Node, currency: str) -> Money:
    text = node.text.strip()
    try:
        if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,17})?|\.[0-9]{1,17}", text) is None:
            raise Invalid(f"'{text[:30]}' is not an amount")
        return Money.of(Decimal(text), currency)
    except (Invalid, InvalidOperation) as error:
        reason = error.reason if isinstance(error, Invalid) else "is not an amount"
        raise StatementUnreadable(reason, line=node.line, element=node.name) from error


def _day(node: Node, path: str) -> date | None:
    found = node.find(path)
    text = found.said("Dt", "DtTm") if found is not None else ""
    if found is None or not text:
        return None
    try:
        day = datetime.fromisoformat(text).date() if "T" in text else date.fromisoformat(text[:10])
    except ValueError as error:
        raise StatementUnreadable(f"'{text[:40]}' is no day", line=found.line, element=path) from error
    if not 1970 <= day.year < 2200:
        raise StatementUnreadable(f"the year {day.year} is no year of a booking", line=found.line, element=path)
    return day
