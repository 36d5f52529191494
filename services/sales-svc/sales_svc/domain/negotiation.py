"""Negotiation: other words for the same deal, and what differs between two versions, word by word."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal

from ltc_contracts.errors import Invalid

from sales_svc.domain.clause import require_fillable
from sales_svc.domain.contract_template import MOST_CLAUSES
from sales_svc.domain.contract_text import Wording

Op = Literal["equal", "insert", "delete"]
What = Literal["unchanged", "changed", "added", "removed"]
# A word with the space after it; scripts without spaces go sign by sign.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]|_+)\s*|\s+")
_SENTENCE = re.compile(r".+?(?:[.;:!?。；：！？]\s*|\n+|$)", re.DOTALL)
_WHOLE = re.compile(r".+", re.DOTALL)
# Comparing takes time in proportion to the pairs of equal words; beyond this, sentences are compared, or the whole.
_MOST_PAIRS = 200_000


@dataclass(frozen=True, slots=True)
class Change:
    """Another text, or title, for a clause of the contract."""

    code: str
    text: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """A clause that no template foresaw; `after` names the clause it follows, else it is the last."""

    code: str
    title: str
    text: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stayed, came or went."""

    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class ClauseDifference:
    """What happened to one clause. `pieces` read as the new text with the old words struck out."""

    code: str
    what: What
    title: str
    title_before: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FactDifference:
    """A priced or agreed fact that differs: only a newly accepted quote does that."""

    fact: str
    before: str
    after: str


def revise(
    wordings: Sequence[Wording], changes: Sequence[Change], additions: Sequence[Addition], removals: Sequence[str]
) -> tuple[Wording, ...]:
    """The clauses after a round of negotiation. Raises `Invalid` with the place, also when nothing would change."""
    result = list(wordings)
    known = {each.code for each in result}
    for number, change in enumerate(changes):
        require_fillable(change.text, field=f"changes.{number}.text")
        if change.code not in known or change.code in removals or change.code in [each.code for each in changes[:number]]:
            raise Invalid(f"no clause '{change.code}' to change, or it is named twice", field=f"changes.{number}.code")
        place = next(place for place, each in enumerate(result) if each.code == change.code)
        old = result[place]
        result[place] = replace(old, title=change.title or old.title, source=change.text, negotiated=True)
    for number, code in enumerate(removals):
        if code not in known or code in removals[:number]:
            raise Invalid(f"no clause '{code}' to remove, or it is named twice", field=f"removals.{number}")
    result = [each for each in result if each.code not in removals]
    for number, new in enumerate(additions):
        require_fillable(new.text, field=f"additions.{number}.text")
        codes = [each.code for each in result]
        if new.code in codes:
            raise Invalid(f"there is a clause '{new.code}' already; change it", field=f"additions.{number}.code")
        if new.after is not None and new.after not in codes:
            raise Invalid(f"no clause '{new.after}' to follow", field=f"additions.{number}.after")
        place = len(codes) if new.after is None else codes.index(new.after) + 1
        result.insert(place, Wording(new.code, None, new.title, new.text, negotiated=True))
    if len(result) > MOST_CLAUSES:
        raise Invalid(f"a contract has at most {MOST_CLAUSES} clauses", field="additions")
    if not result:
        raise Invalid("a contract has at least one clause", field="removals")
    if [(each.code, each.title, each.source) for each in result] == [(each.code, each.title, each.source) for each in wordings]:
        raise Invalid("nothing would change", field="changes")
    return tuple(result)


def differences(before: str, after: str) -> tuple[list[FactDifference], list[ClauseDifference]]:
    """What differs between two canonical texts: facts, and each clause word by word, in the order of the newer one."""
    old, new = json.loads(before), json.loads(after)
    facts = [
        FactDifference(name, old_fact, new_fact)
        for name, old_fact, new_fact in zip(_FACTS, _facts(old), _facts(new), strict=True)
        if old_fact != new_fact
    ]
    old_clauses = {each["code"]: each for each in old["clauses"]}
    found = [_clause(old_clauses.pop(each["code"], None), each) for each in new["clauses"]]
    return facts, [*found, *(_clause(each, None) for each in old_clauses.values())]


def words(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of which the two texts are made: equal and deleted ones add up to the first, equal and inserted to the second."""
    for unit in (_WORD, _SENTENCE, _WHOLE):
        a, b = unit.findall(before), unit.findall(after)
        counts = Counter(b)
        if sum(counts[token] for token in a) <= _MOST_PAIRS:
            break
    pieces: list[Piece] = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("equal", "".join(a[a1:a2])))
            continue
        if a2 > a1:
            pieces.append(Piece("delete", "".join(a[a1:a2])))
        if b2 > b1:
            pieces.append(Piece("insert", "".join(b[b1:b2])))
    return tuple(pieces)


def _clause(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> ClauseDifference:
    if new is None:
        assert old is not None
        return ClauseDifference(old["code"], "removed", old["title"], None, (Piece("delete", old["text"]),))
    if old is None:
        return ClauseDifference(new["code"], "added", new["title"], None, (Piece("insert", new["text"]),))
    if (old["title"], old["text"]) == (new["title"], new["text"]):
        return ClauseDifference(new["code"], "unchanged", new["title"], None, ())
    title_before = old["title"] if old["title"] != new["title"] else None
    return ClauseDifference(new["code"], "changed", new["title"], title_before, words(old["text"], new["text"]))


_FACTS = (
    "quote",
    "customer",
    "lines",
    "net",
    "tax",
    "gross",
    "payment_terms_days",
    "requested_on",
    "supplier",
    "use",
    "terms_of_offer",
)


def _facts(document: Mapping[str, Any]) -> list[str]:
    totals, customer = document["totals"], document["customer"]
    lines = [
        f"{line['quantity']} x {line['sku']} {line['description']}: {line['net']['amount']} {line['net']['currency']}"
        for line in document["lines"]
    ]
    return [
        f"{document['quote']['number']} version {document['quote']['version']}",
        ", ".join(part for part in (customer["name"], customer["country"], customer["vat_id"]) if part),
        "\n".join(lines),
        *(f"{totals[name]} {totals['currency']}" for name in ("net", "tax", "gross")),
        str(document["payment_terms_days"]),
        document["requested_on"] or "",
        (document["supplier"] or {}).get("name", ""),
        "\n".join(_use(each) for each in document.get("use", [])),
        document.get("terms_of_offer", ""),
    ]


def _use(item: Mapping[str, Any]) -> str:
    prices = ", ".join(f"{each['unit_price']} per {each['per']} less {each['discount_percent']} %" for each in item["prices"])
    return f"{item['sku']} {item['description']} ({item['meter']}): {prices}"
