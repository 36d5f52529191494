"""E-invoices in UBL and CII, read back by the rules of the norm."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import HandedLine, Line
from ltc_contracts.money import Money

from billing_svc.domain import cii, ubl
from billing_svc.domain.amounts import line_net, worth
from billing_svc.domain.credit_note import Wanted, credit, everything, lines_of
from billing_svc.domain.einvoice import of_credit, of_invoice, seller_of
from billing_svc.domain.invoice import issue
from billing_svc.domain.occasion import of_handover
from billing_svc.tests.builders import CUSTOMER, NOW, completed, handed_over, line
from billing_svc.tests.norm import Reader, check
from billing_svc.tests.schematron import broken
from billing_svc.tests.test_documents import HEAD, invoiced

WRITERS = (ubl.write, cii.write)
SELLER = seller_of("Nord GmbH", ["Hafenstr. 1"], "DE 123456789", "HRB 1", [("DE02 1203 0000 0000 2020 51", "BYLADEM1001")])
TAXED = CUSTOMER.model_copy(update={"vat_id": "IT12345678901"})
CENT = Decimal("0.01")


@st.composite
def parts(draw: st.DrawFn) -> HandedLine:
    """So many of a line, after so many before: prices, discounts, base quantities and categories of all kinds."""
    category, rate = draw(st.sampled_from([("S", "22"), ("S", "5.5"), ("S", "19"), ("Z", "0"), ("E", "0"), ("AE", "0")]))
    quantities = st.decimals("0.1", "50", places=1)
    quantity, before = draw(quantities), draw(st.one_of(st.just(Decimal(0)), quantities))
    given_line = Line.model_validate(
        {
            "line_id": new_id(),
            "sku": "A",
            "description": draw(st.sampled_from(["Pump & <seal>", "泵", "x\x0by"])),
            "quantity": quantity,
            "unit_price": Money.of(draw(st.decimals("0.01", "999", places=2)), "EUR"),
            "base_quantity": draw(st.sampled_from([Decimal(1), Decimal(3), Decimal(100)])),
            "discount_percent": draw(st.sampled_from([Decimal(0), Decimal("3.3"), Decimal(100), Decimal(7)])),
            "tax_category": category,
            "tax_rate": rate,
            "net": Money.zero("EUR"),
        }
    )
    net = worth(given_line, before + quantity) - worth(given_line, before)
    return HandedLine.model_validate({**dict(given_line), "delivered_before": before, "net": net})


@given(lines=st.lists(parts(), min_size=1, max_size=6), share=st.decimals("0.01", "1", places=2))
@settings(max_examples=60, deadline=None)
def test_whatever_is_invoiced_keeps_the_arithmetic_rules_of_the_norm_in_both_syntaxes(
    lines: list[HandedLine], share: Decimal
) -> None:
    occasion = of_handover(handed_over(*lines, customer=TAXED))
    invoice, _, _ = issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)
    for write in WRITERS:
        check(write(of_invoice(invoice, SELLER)))
    # A part is credited, then all that is left; only the last one's tax takes what rounding left over.
    notes: list[Any] = []
    first = invoice.lines[0]
    wanted = Money.rounded(first.net.amount * share, "EUR")
    for last in (False, True):
        chosen = everything(invoice, notes) if last else lines_of(invoice, notes, [Wanted(first.line_id, wanted)])
        if not chosen:
            continue
        made = credit(
            invoice,
            notes,
            chosen,
            credit_id=new_id(),
            number=f"CN-2026-00000{len(notes) + 1}",
            reason="a scratch",
            cause="manual",
            cause_id=None,
            now=NOW,
        )
        invoice = made.invoice
        notes.append(made.note)
        for write in WRITERS:
            xml = write(of_credit(made.note, SELLER))
            check(xml, residual=CENT)
            assert Reader(xml).text("BT-25") == invoice.number


@given(lines=st.lists(parts(), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_whatever_is_invoiced_or_credited_passes_the_published_schemas_and_schematron(lines: list[HandedLine]) -> None:
    occasion = of_handover(handed_over(*lines, customer=TAXED))
    invoice, _, _ = issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)
    documents = [of_invoice(invoice, SELLER)]
    if chosen := everything(invoice, []):
        same: Any = {"reason": "a scratch", "cause": "manual", "cause_id": None, "now": NOW}
        made = credit(invoice, [], chosen, credit_id=new_id(), number="CN-2026-000001", **same)
        documents.append(of_credit(made.note, SELLER))
    for made_of in documents:
        for write in WRITERS:
            assert broken(write(made_of)) == []


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("was", "spoilt", "rule"), [(b">6527.81<", b">6527.80<", "BR-CO-15"), (b">1177.15<", b">1177.10<", "BR-CO-14")]
)
def test_a_document_with_a_wrong_sum_fails_the_schematron(write: Any, was: bytes, spoilt: bytes, rule: str) -> None:
    occasion = of_handover(handed_over(HandedLine.model_validate({**dict(line()), "delivered_before": 0}), customer=TAXED))
    invoice, _, _ = issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)
    xml = write(of_invoice(invoice, SELLER))
    assert was in xml
    assert rule in broken(xml.replace(was, spoilt, 1))


def test_a_line_that_takes_off_has_a_quantity_below_zero_and_no_price_below_zero() -> None:
    less = line("-10.00", "3", "7").model_copy(update={"net": Money.of("-27.90", "EUR")})
    assert line_net(less) == less.net
    given_lines = (HandedLine.model_validate({**dict(each), "delivered_before": 0}) for each in (line(), less))
    occasion = of_handover(handed_over(*given_lines))
    invoice, _, _ = issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)
    for write in WRITERS:
        check(write(of_invoice(invoice, SELLER)))


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
async def test_the_golden_invoice_and_its_credit_note_in_both_syntaxes(
    client: httpx.AsyncClient, deliver: Deliver, syntax: str
) -> None:
    assert (await client.put("/v1/letterhead", json=HEAD)).status_code == 200
    invoice = await invoiced(client, deliver, completed(customer=TAXED))
    path = f"/v1/invoices/{invoice['id']}/einvoice?syntax={syntax}"
    reply = await client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/xml"), reply.text
    check(reply.content)
    read = Reader(reply.content)
    told = {term: read.text(term) for term in ("BT-1", "BT-109", "BT-110", "BT-115", "BT-40", "BT-48")}
    assert told == {
        "BT-1": invoice["number"],
        "BT-109": "5350.66",
        "BT-110": "1177.15",
        "BT-115": "6527.81",
        "BT-40": "DE",
        "BT-48": "IT12345678901",
    }
    assert read.text("BT-83") is not None
    assert (await client.get(path)).content == reply.content
    note = (await client.post(f"/v1/invoices/{invoice['id']}/credits", json={"reason": "back"})).json()
    credited = await client.get(f"/v1/credits/{note['id']}/einvoice?syntax={syntax}")
    check(credited.content)
    told_back = Reader(credited.content)
    assert (told_back.text("BT-25"), told_back.text("BT-115")) == (invoice["number"], "6527.81")


async def test_terms_that_are_missing_are_named_and_there_is_no_e_invoice(client: httpx.AsyncClient, deliver: Deliver) -> None:
    invoice = await invoiced(client, deliver, completed())
    path = f"/v1/invoices/{invoice['id']}/einvoice"
    reply = await client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (409, "application/problem+json")
    assert [term.split()[0] for term in reply.json()["missing"]] == ["BT-27", "BT-40", "BT-31"]
    # A tax id that is no VAT id says no country.
    assert (await client.put("/v1/letterhead", json={**HEAD, "tax_id": "91310000775785552L"})).status_code == 200
    assert [term.split()[0] for term in (await client.get(path)).json()["missing"]] == ["BT-40", "BT-31"]
    dinar = await invoiced(client, deliver, completed(line("1.234", currency="KWD")))
    missing = (await client.get(f"/v1/invoices/{dinar['id']}/einvoice")).json()["missing"]
    assert missing[0].startswith("BT-5 ")
    assert (await client.get(f"/v1/invoices/{new_id()}/einvoice?syntax=cii")).status_code == 404
    assert (await client.get(f"{path}?syntax=pdf")).status_code == 422
