"""Writes contracts/examples: one coherent deal, RULES 4's golden invoice (348.35 x 16 less 4 % at 22 % = 6,527.81).

`python -m ltc_contracts.tests.golden`; the files are the truth, this only keeps ids, times and amounts consistent.
"""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.envelope import Envelope
from ltc_contracts.examples import ROOT
from ltc_contracts.money import Money
from ltc_contracts.tests import (
    golden_claims,
    golden_deliveries,
    golden_dunning,
    golden_journal,
    golden_leads,
    golden_orders,
    golden_production,
    golden_quotes,
    golden_subscriptions,
    golden_surveys,
    golden_tickets,
)

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NET, TAX, GROSS = (Money.of(amount, "EUR") for amount in ("5350.66", "1177.15", "6527.81"))
PART = Money.of("2000.00", "EUR")


def uid(kind: int, number: int = 0, *, at: datetime = START) -> UUID:
    """A fixed UUIDv7 drawn at `at`."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (kind << 64) | (0x2 << 62) | number)


FLOW, OTHER_FLOW, THIRD_FLOW = uid(1), uid(1, 2), uid(1, 3)
LEAD, OPPORTUNITY, QUOTE, CONTRACT, ORDER, DELIVERY, INVOICE, PAYMENT = (uid(2, number) for number in range(1, 9))
OTHER = {name: uid(3, number) for number, name in enumerate(("lead", "opportunity", "order", "contract", "delivery"), 1)}
CUSTOMER = e.Customer(
    customer_id=uid(4), name="Rossi Impianti S.r.l.", country="IT", vat_id="IT01234567890", email="ap@rossi.example"
)
LINES = (
    e.Line(
        line_id=uid(5), sku="SUPPORT", description="Premium support, per month", quantity=Decimal(16),
        unit_price=Money.of("348.35", "EUR"), discount_percent=Decimal(4), tax_rate=Decimal(22), net=NET,
    ),
)  # fmt: skip
OWNER = "Darcel Schlecht"
STOPPED: dict[str, Any] = {"order_id": OTHER["order"], "number": "O-2026-000002", "reason": "project stopped"}
DEAL: dict[str, Any] = {
    "account_id": CUSTOMER.customer_id, "pipeline": "default", "team": "South", "region": "south", "segment": "b2b",
    "campaign": "spring", "products": ("SUPPORT",),
}  # fmt: skip
COMMISSION: dict[str, Any] = {
    "commission_id": uid(2, 11),
    "contract_id": CONTRACT,
    "opportunity_id": OPPORTUNITY,
    "rep": OWNER,
    "plan": "standard",
    "plan_version": 1,
}
# Who acts (None: a person) on which day, on which flow, at which version of the aggregate.
Step = tuple[e.Event, str, float, UUID | None, int, str | None]
STEPS: list[Step] = [
    (
        e.LeadCaptured(
            lead_id=LEAD, captured_via="api", channel="web", source="Google", campaign="spring", company=CUSTOMER.name, country="IT",
            industry="manufacturing", region="south", segments=("b2b",), partner=None,
            touches=(
                e.Touch(
                    occurred_at=START - timedelta(3), channel="search", source="Google", medium="cpc", campaign="spring", page="/pumps",
                    click_ids={"gclid": "Cj0KCQ"},
                ),
                e.Touch(occurred_at=START, channel="web", source="Google", page="/demo"),
            ),
            custom={"machines": 12, "erp": "none"},
        ),
        "lead", 0, FLOW, 1, None,
    ),
    (e.LeadEngaged(lead_id=LEAD, activity="demo_request"), "lead", 0, FLOW, 1, None),
    (
        e.LeadScored(lead_id=LEAD, fit=Decimal("35"), engagement=Decimal("25"), band="hot", rule_version="v1"),
        "lead", 0, FLOW, 1, None,
    ),
    (
        e.LeadQualified(
            lead_id=LEAD, reason="high_intent", channel="web", source="Google", campaign="spring", company=CUSTOMER.name,
            country="IT", contact=e.Contact(name="Anna Rossi", email="anna@rossi.example"), fit=Decimal("35"),
            engagement=Decimal("25"), estimated_value=Money.of("6000.00", "EUR"), owner=OWNER, industry="manufacturing", company_size=120,
            website="https://rossi.example", region="south", segments=("b2b",), predictive=Decimal("61.5"), captured_at=START,
            custom={"machines": 12, "erp": "none"},
        ),
        "lead", 1, FLOW, 2, None,
    ),
    (
        e.LeadDisqualified(
            lead_id=OTHER["lead"], reason="no budget this year", code="not_now", kind="recycle", returns_at=START + timedelta(days=91)
        ),
        "lead", 1, OTHER_FLOW, 2, None,
    ),
    (
        e.OpportunityOpened(
            opportunity_id=OPPORTUNITY, lead_id=LEAD, name=CUSTOMER.name, company=CUSTOMER.name, owner=OWNER,
            stage="qualification", probability=10, value=Money.of("6000.00", "EUR"), channel="web", source="Google", **DEAL,
            country="IT", external_ref="HB-4711", expected_close_on=date(2026, 2, 27), custom={"machines": 12},
        ),
        "sales", 1, FLOW, 1, "lead.qualified",
    ),
    (
        e.OpportunityStageChanged(
            opportunity_id=OPPORTUNITY, from_stage="qualification", to_stage="proposal", probability=50, seconds_in_stage=172800,
            pipeline="default", skipped=("discovery",),
        ),
        "sales", 3, FLOW, 2, None,
    ),
    (
        e.OpportunityWon(
            opportunity_id=OPPORTUNITY, contract_id=CONTRACT, value=NET, owner=OWNER, opened_at=START + timedelta(1), **DEAL,
            reason="best support", competitors=("Acme CRM",),
        ),
        "sales", 8, FLOW, 3, None,
    ),
    (
        e.OpportunityLost(
            opportunity_id=OTHER["opportunity"], reason="chose a competitor", stage="proposal", value=NET, owner=OWNER, opened_at=START,
            **DEAL, competitors=("Acme CRM",),
        ),
        "sales", 9, OTHER_FLOW, 4, None,
    ),
    (
        e.QuoteSent(
            quote_id=QUOTE, opportunity_id=OPPORTUNITY, number="Q-2026-000001", quote_version=1, lines=LINES, net=NET,
            valid_until=date(2026, 2, 7), list_net=Money.of("5573.60", "EUR"), discount_percent=Decimal("4.00"), recurring=("month",),
            custom={"machines": 12},
        ),
        "sales", 3, FLOW, 2, None,
    ),
    (
        e.QuoteAccepted(quote_id=QUOTE, opportunity_id=OPPORTUNITY, number="Q-2026-000001", quote_version=1, net=NET, via="link"),
        "sales", 7, FLOW, 3, None,
    ),
    (
        e.ContractSigned(
            contract_id=CONTRACT, number="C-2026-000001", opportunity_id=OPPORTUNITY, quote_id=QUOTE, customer=CUSTOMER, lines=LINES,
            net=NET, payment_terms_days=30, requested_on=date(2026, 1, 30), document_sha256="3a" * 32, signed_by="Anna Rossi",
            signed_at=START + timedelta(8), pdf_sha256="5c" * 32, contract_version=2, owner=OWNER, starts_on=date(2026, 1, 13),
            ends_on=date(2027, 1, 12), auto_renew=True, renewal_months=12, notice_days=90,
        ),
        "sales", 8, FLOW, 2, None,
    ),
    (
        e.OrderReceived(
            order_id=ORDER, number="O-2026-000001", contract_id=CONTRACT, customer=CUSTOMER, lines=LINES, net=NET,
            requested_on=date(2026, 1, 30), source="contract", invoicing="on_delivery",
        ),
        "order", 8, FLOW, 1, "contract.signed",
    ),
    (
        e.OrderConfirmed(
            order_id=ORDER, number="O-2026-000001", contract_id=CONTRACT, customer=CUSTOMER, lines=LINES, net=NET,
            payment_terms_days=30, requested_on=date(2026, 1, 30), promised_on=date(2026, 1, 30),
        ),
        "order", 8, FLOW, 2, "contract.signed",
    ),
    (e.OrderCancellationRequested(**STOPPED), "order", 10, THIRD_FLOW, 3, None),
    (e.OrderCancelled(**STOPPED, net=NET), "order", 10, THIRD_FLOW, 4, "delivery.cancelled"),
    (e.OrderFulfilled(order_id=ORDER, number="O-2026-000001", delivery_id=DELIVERY), "order", 24, FLOW, 4, "delivery.completed"),
    (e.OrderClosed(order_id=ORDER, number="O-2026-000001", collected=GROSS), "order", 60, FLOW, 5, "invoice.paid"),
    (
        e.DeliveryPromised(delivery_id=DELIVERY, order_id=ORDER, promised_on=date(2026, 1, 30), promise_version=1),
        "delivery", 8, FLOW, 1, "order.confirmed",
    ),
    (
        e.DeliveryProgressed(delivery_id=DELIVERY, order_id=ORDER, percent=Decimal("50"), note="half of it is installed"),
        "delivery", 20, FLOW, 2, None,
    ),
    (
        e.DeliveryCompleted(
            delivery_id=DELIVERY, order_id=ORDER, order_number="O-2026-000001", customer=CUSTOMER, payment_terms_days=30,
            promised_on=date(2026, 1, 30), completed_at=START + timedelta(24), on_time=True, **golden_deliveries.in_all(LINES[0]),
        ),
        "delivery", 24, FLOW, 3, None,
    ),
    (
        e.DeliveryCancelled(delivery_id=OTHER["delivery"], order_id=OTHER["order"], reason="project stopped"),
        "delivery", 10, THIRD_FLOW, 2, "order.cancellation_requested",
    ),
    (
        e.InvoiceIssued(
            invoice_id=INVOICE, number="INV-2026-000001", order_id=ORDER, delivery_id=DELIVERY, customer=CUSTOMER, net=NET, tax=TAX,
            gross=GROSS, taxes=(e.TaxSubtotal(category="S", rate=Decimal(22), base=NET, tax=TAX),), issued_on=date(2026, 1, 29),
            due_on=date(2026, 2, 28), handover_id=uid(8, 5),
        ),
        "billing", 24, FLOW, 1, "delivery.completed",
    ),
    (
        e.InvoiceOverdue(
            invoice_id=INVOICE, number="INV-2026-000001", order_id=ORDER, due_on=date(2026, 2, 28), days_overdue=1, open=GROSS
        ),
        "billing", 55, FLOW, 2, None,
    ),
    (
        e.InvoicePaid(
            invoice_id=INVOICE, number="INV-2026-000001", order_id=ORDER, gross=GROSS, due_on=date(2026, 2, 28),
            paid_on=date(2026, 3, 6), on_time=False, credited=None, written_off=None,
        ),
        "billing", 60, FLOW, 4, None,
    ),
    (
        e.PaymentReceived(
            payment_id=PAYMENT, amount=PART, method="bank_transfer", reference="Invoice INV-2026-000001", received_on=date(2026, 3, 3)
        ),
        "billing", 57, None, 1, None,
    ),
    (
        e.PaymentAllocated(
            payment_id=PAYMENT, invoice_id=INVOICE, number="INV-2026-000001", order_id=ORDER, amount=PART, open_after=GROSS - PART,
            received_on=date(2026, 3, 3),
        ),
        "billing", 57, FLOW, 3, None,
    ),
    (
        e.LeadAssigned(
            lead_id=LEAD, owner=OWNER, how="claimed", protected_until=START + timedelta(days=10), limit_at=START + timedelta(days=20),
            by="rule", territory="south",
        ),
        "lead", 0, FLOW, 2, None,
    ),
    (e.LeadReleased(lead_id=OTHER["lead"], owner=OWNER, reason="expired"), "lead", 10, OTHER_FLOW, 3, None),
    (
        e.PaymentRefunded(
            refund_id=uid(2, 9), payment_id=PAYMENT, amount=Money.of("122.00", "EUR"), net=Money.of("100.00", "EUR"), invoice_id=INVOICE,
            number="INV-2026-000001", order_id=ORDER, reason="one month was not delivered", refunded_on=date(2026, 3, 10),
        ),
        "billing", 64, FLOW, 2, "invoice.credited",
    ),
    (
        e.InvoiceCredited(
            credit_id=uid(2, 10), number="CN-2026-000001", invoice_id=INVOICE, invoice_number="INV-2026-000001", order_id=ORDER,
            net=Money.of("100.00", "EUR"), tax=Money.of("22.00", "EUR"), gross=Money.of("122.00", "EUR"),
            taxes=(
                e.TaxSubtotal(category="S", rate=Decimal(22), base=Money.of("100.00", "EUR"), tax=Money.of("22.00", "EUR")),
            ),
            open_after=GROSS - PART - Money.of("122.00", "EUR"), reason="one month was not delivered", credited_on=date(2026, 3, 10),
            cause="manual",
        ),
        "billing", 64, FLOW, 5, None,
    ),
    (
        e.ContractRenewalDue(
            contract_id=CONTRACT, number="C-2026-000001", opportunity_id=OPPORTUNITY, customer=CUSTOMER.name, owner=OWNER, net=NET, term=1,
            ends_on=date(2027, 1, 12), notice_by=date(2026, 10, 14), days_before=30, auto_renew=True,
        ),
        "sales", 252, FLOW, 4, None,
    ),
    (
        e.CommissionAccrued(
            **COMMISSION, base=NET, rate=Decimal("5"), amount=Money.of("267.53", "EUR"), accrued_after=Money.of("267.53", "EUR")
        ),
        "sales", 8, FLOW, 1, None,
    ),
    (
        e.CommissionVested(
            **COMMISSION, amount=Money.of("81.96", "EUR"), accrued_after=Money.of("267.53", "EUR"),
            vested_after=Money.of("81.96", "EUR"),
        ),
        "sales", 57, FLOW, 2, "payment.allocated",
    ),
    (
        e.CommissionClawedBack(
            **COMMISSION, part="vested", cause="refund", amount=Money.of("5.00", "EUR"), accrued_after=Money.of("267.53", "EUR"),
            vested_after=Money.of("76.96", "EUR"),
        ),
        "sales", 64, FLOW, 3, "payment.refunded",
    ),
    (
        e.LeadTouched(
            lead_id=LEAD, touch_id=uid(7),
            touch=e.Touch(
                occurred_at=START + timedelta(2), channel="email", source="newsletter", medium="email", campaign="spring", page="/pricing"
            ),
        ),
        "lead", 2, FLOW, 2, None,
    ),
    (
        e.CampaignSpendRecorded(
            campaign_id=uid(7, 2), campaign="spring", channel="search_ads", day=date(2026, 1, 5), spend_source="google_ads",
            amount=Money.of("182.40", "EUR"), change=Money.of("182.40", "EUR"), clicks=96, impressions=5210, revision=1,
        ),
        "lead", 1, None, 1, None,
    ),
    (
        e.LeadMerged(
            merge_id=uid(14), lead_id=LEAD, merged=(e.MergedLead(lead_id=uid(14, 1), flow_id=uid(14, 2)),), status="new", owner=None
        ),
        "lead", 0.5, FLOW, 2, None,
    ),
    (
        e.LeadUnmerged(
            merge_id=uid(14), lead_id=LEAD, restored=(e.MergedLead(lead_id=uid(14, 1), flow_id=uid(14, 2)),), status="new", owner=None
        ),
        "lead", 0.75, FLOW, 3, None,
    ),
    (e.PersonErased(erasure_id=uid(14, 3), lead_ids=(LEAD, uid(14, 1)), flow_ids=(FLOW, uid(14, 2))), "lead", 90, None, 1, None),
    (
        e.LeadRecycled(
            lead_id=OTHER["lead"], code="not_now", reason="no budget this year", disqualified_at=START + timedelta(days=1)
        ),
        "lead", 91, OTHER_FLOW, 3, None,
    ),
    (
        e.LeadChanged(
            lead_id=LEAD, changed=("company_size", "custom.machines", "segments"), company=CUSTOMER.name, country="IT",
            industry="manufacturing", company_size=120, region="south", channel_group="inbound", segments=("b2b", "mid-size"),
            custom={"machines": 14, "erp": "none"},
        ),
        "lead", 0.5, FLOW, 2, None,
    ),
]  # fmt: skip
STEPS += golden_leads.steps(LEAD, FLOW, OTHER["lead"], OTHER_FLOW, (CUSTOMER.customer_id, OPPORTUNITY), uid, START)
STEPS += golden_quotes.steps(OTHER["opportunity"], uid(3, 6), OTHER_FLOW, NET, OWNER)
STEPS += golden_orders.steps(OTHER["order"], THIRD_FLOW, CUSTOMER, LINES, NET, START)
STEPS += golden_tickets.steps(uid(7, 1), uid(7, 2), ORDER, CUSTOMER.customer_id, FLOW, THIRD_FLOW, START)
STEPS += golden_deliveries.steps(ORDER, CONTRACT, DELIVERY, FLOW, uid, CUSTOMER, LINES[0], START)
STEPS += golden_production.steps(ORDER, DELIVERY, FLOW, (uid(8, 11), uid(8, 12), uid(8, 13)), LINES[0], START)
STEPS += golden_surveys.steps(ORDER, DELIVERY, CUSTOMER.customer_id, FLOW, uid, START)
STEPS += golden_subscriptions.steps(uid(2, 20), uid(5, 2), ORDER, CUSTOMER.customer_id, CONTRACT, FLOW, START)
STEPS += golden_claims.steps(INVOICE, PAYMENT, ORDER, FLOW, uid, START)
STEPS += golden_dunning.steps(INVOICE, ORDER, CUSTOMER.customer_id, FLOW, uid, START)
STEPS += golden_journal.steps(uid, START)
STEPS += golden_claims.given_up(INVOICE, PAYMENT, ORDER, FLOW, THIRD_FLOW, uid)


def write() -> None:
    """Write every example file."""
    ids = {
        event.TOPIC: uid(6, number, at=START + timedelta(days=day)) for number, (event, _, day, _, _, _) in enumerate(STEPS, 1)
    }
    for event, service, day, flow_id, sequence, cause in STEPS:
        moment, identifier = START + timedelta(days=day), ids[event.TOPIC]
        envelope = Envelope(
            id=identifier,
            source=f"/{service}-svc",
            type=event.type_name(),
            subject=event.subject,
            occurred_at=moment,
            recorded_at=moment,
            dataschema=event.dataschema(),
            partition_key=str(flow_id) if flow_id else event.subject,
            sequence=sequence,
            flow_id=flow_id,
            causation_id=ids[cause] if cause else None,
            correlation_id=str(ids[cause] if cause else identifier),
            traceparent=f"00-{identifier.hex}-{identifier.hex[-16:]}-01",
        )
        record = {
            "headers": {name: value.decode() for name, value in envelope.to_headers()},
            "key": envelope.partition_key,
            "data": json.loads(event.model_dump_json()),
        }
        path = ROOT / "examples" / event.TOPIC / f"{event.VERSION}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()
