"""What of this database is about persons, and what an erasure makes of it: every column of every table.

A new table or column is named here, or a test fails. `ltc_chassis/personal.py` says how. Here `:flows` are the flows of the erased leads
and `:emails` the addresses of the customers of their orders. An order is a commercial document and keeps its customer, as the law wants
(docs/privacy.md); what somebody wrote about them on the way goes.
"""

from collections.abc import Mapping

from ltc_chassis.personal import CHASSIS, Table, keep, replace

_ORDERS = "(SELECT o.id FROM sales_order o WHERE o.flow_id = ANY(:flows))"
_OF_ORDER = f"t.order_id IN {_ORDERS}"
_CUSTOMER = keep("commercial and tax law: an order names its customer")
_ERASED = "'(erased)'"


def _words(column: str) -> str:
    return f"CASE WHEN t.{column} IS NOT NULL THEN {_ERASED} END"


def _without_reason(column: str) -> str:
    return f"""CASE WHEN t.{column}->>'reason' IS NULL THEN t.{column} ELSE t.{column} || '{{"reason": "(erased)"}}' END"""


TABLES: Mapping[str, Table] = {
    **CHASSIS,
    "dunning_hold": Table(plain="invoice_id customer_id number held told_version"),
    "credit_account": Table(plain="customer_id version blocked limits payment_terms_days changed_at"),
    "credit_account_version": Table(
        rows="t.customer_id IN (SELECT o.customer_id FROM sales_order o WHERE o.flow_id = ANY(:flows))",
        plain="customer_id version blocked limits payment_terms_days told_at changed_at",
        staff="changed_by",
        personal={"reason": replace(_words("reason"))},
    ),
    "line_delivery": Table(plain="fact_id line_id order_id quantity told_at"),
    "erased_flow": Table(plain="flow_id erased_at"),
    # What lines were and become names products; a wish has no words but its reason.
    "order_change": Table(
        rows=_OF_ORDER,
        plain="id order_id order_version state path wish effects assessed_at expires_at requested_at decided_at lines lines_version",
        staff="assessed_by confirmed_by",
        personal={name: replace(_words(name)) for name in ("reason", "decision")},
    ),
    "order_fact": Table(
        rows="t.flow_id = ANY(:flows) OR t.about IN "
        "(SELECT unnest(ARRAY[o.id, o.contract_id]) FROM sales_order o WHERE o.flow_id = ANY(:flows))",
        plain="about topic fact_id nth occurred_at flow_id",
        personal={"data": replace("without_person(t.topic, t.data)")},
    ),
    "order_line": Table(
        plain="order_id position line_id sku description quantity unit_price base_quantity discount_percent tax_category tax_rate "
        "net_amount price_currency net_currency"
    ),
    "order_process": Table(plain="order_id step waiting_for since deadline attempt compensating policy_id"),
    "order_process_step": Table(plain="order_id id step started_at ended_at outcome cause"),
    "paid_invoice": Table(plain="invoice_id order_id gross_amount currency paid_on"),
    "process_policy": Table(plain="id step invoicing version timeout attempts action reason created_at", staff="changed_by"),
    "promise_rule": Table(plain="valid_from lead_days"),
    "receivable": Table(plain="invoice_id order_id customer_id currency issued allocated credited refunded open"),
    "receivable_entry": Table(plain="invoice_id kind fact_id amount told_at"),
    "recheck": Table(plain="id customer_id sku after_order"),
    "reservation": Table(plain="order_id line_id sku site quantity state ended_at"),
    "reservation_part": Table(plain="handover_id order_id line_id sku site quantity ended_at"),
    "sales_order": Table(
        rows="t.flow_id = ANY(:flows)",
        plain="id flow_id version number state contract_id customer_id customer_country net_amount currency payment_terms_days "
        "requested_on promised_on percent_delivered delivery_id collected_amount cancellation_state cancellation_requested_at "
        "cancellation_decided_at cancellation_return_to created_at updated_at source fingerprint invoicing ship_complete subscription_id "
        "period_from period_until gross_amount invoiced_amount invoiced_net_amount credited_amount hold_reasons held_since waived "
        "confirmed_at told_promise_at delivered_at invoiced_at paid_at cancelled_at reduced_amount reduced_net_amount lines_version "
        "handed_net_amount handovers handovers_told unpaid "
        "lines_changed_at change_id change_requested_at change_net_amount change_gross_amount",
        staff="held_by",
        personal={
            **dict.fromkeys(("customer_name", "customer_vat_id", "customer_email"), _CUSTOMER),
            "external_ref": keep("by it an order that is placed again is known"),
            **{name: replace(_words(name)) for name in ("cancellation_reason", "change_reason", "hold_detail", "hold_wish")},
        },
    ),
    "state_change": Table(
        rows=_OF_ORDER,
        plain="order_id version from_state to_state changed_at",
        staff="changed_by",
        personal={"reason": replace(_words("reason"))},
    ),
    "stock": Table(plain="sku site on_hand as_of reserved"),
    "subscription": Table(
        rows="t.flow_id = ANY(:flows)",
        plain="id flow_id version number state source fingerprint contract_id customer_id customer_country currency lines interval_unit "
        "interval_count anchor anchor_day starts_on ends_on terms notice_days invoicing payment_terms_days mrr credit charged_until "
        "due_at trouble created_at updated_at",
        personal={
            **dict.fromkeys(("customer_name", "customer_vat_id", "customer_email"), _CUSTOMER),
            "external_ref": keep("by it a subscription that is taken out again is known"),
            "cancel_reason": replace(_words("cancel_reason")),
            "pending": replace(_without_reason("pending")),
        },
    ),
    "subscription_change": Table(
        rows="t.subscription_id IN (SELECT s.id FROM subscription s WHERE s.flow_id = ANY(:flows))",
        plain="subscription_id version what state effective_on changed_at",
        staff="changed_by",
        personal={
            "reason": replace(_words("reason")),
            "event": replace(
                """CASE WHEN t.event->>'reason' IS NULL THEN t.event ELSE t.event || '{"reason": "(erased)"}' END"""
            ),
        },
    ),
    "subscription_order": Table(
        plain="subscription_id order_id kind period_from period_until charged credit_used taken cost without placed_at position "
        "spent lapsed_at"
    ),
    "subscription_lapse": Table(plain="order_id subscription_id"),
}
