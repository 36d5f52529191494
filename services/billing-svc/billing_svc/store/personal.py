"""What of this database is about persons, and what an erasure makes of it: every column of every table.

A new table or column is named here, or a test fails. `ltc_chassis/personal.py` says how. Here `:flows` are the flows of the erased leads
and `:emails` the addresses of the customers of their invoices. Documents, statements of the bank and books are kept for as long as the law
says (docs/privacy.md); what somebody noted about the person on the way, mails, and what was learnt of their accounts go.
"""

import dataclasses
from collections.abc import Mapping

from ltc_chassis.personal import CHASSIS, Table, keep, own, replace

_INVOICES = "(SELECT i.id FROM invoice i WHERE i.flow_id = ANY(:flows))"
_CUSTOMERS = "(SELECT (i.customer->>'customer_id')::uuid FROM invoice i WHERE i.flow_id = ANY(:flows))"
_PAYMENTS = f"(SELECT a.payment_id FROM allocation a WHERE a.invoice_id IN {_INVOICES})"  # noqa: S608 - literal text
_ITEMS = f"(SELECT p.item_id FROM payment_origin p WHERE p.payment_id IN {_PAYMENTS})"  # noqa: S608 - literal text
_ENTRIES = f"(SELECT e.statement_id FROM bank_item b JOIN bank_entry e ON e.id = b.entry_id WHERE b.id IN {_ITEMS})"  # noqa: S608 - literal text
_FILES = f"(SELECT s.file_id FROM bank_statement s WHERE s.id IN {_ENTRIES})"  # noqa: S608 - literal text
_ON_FLOW = "t.flow_id = ANY(:flows)"
_OF_INVOICE = f"t.invoice_id IN {_INVOICES}"
_MENTIONED = "EXISTS (SELECT 1 FROM unnest(:emails) AS said WHERE position(said IN lower({})) > 0)"
_CUSTOMER = keep("commercial and tax law: a document names its customer (e.g. AO 147: 8 years)")
_BOOKS = keep("it belongs to the books (e.g. AO 147: 10 years)")
_VOUCHER = keep("statements of accounts are vouchers of the books (e.g. AO 147: 8 years)")
_GONE = replace("'(erased)'")

TABLES: Mapping[str, Table] = {
    **CHASSIS,
    "account_name": Table(plain="seq account country number name valid_from created_at", staff="made_by"),
    "accounting_period": Table(plain="month state updated_at"),
    "allocation": Table(
        rows=_OF_INVOICE,
        plain="id payment_id invoice_id amount allocated_on created_at credit_id",
        staff="made_by",
        personal={"reason": _BOOKS},
    ),
    "bank_entry": Table(
        plain="id identity statement_id position kind account currency amount booked_on valued_on reversal bank_reference mark code "
        "same_as created_at"
    ),
    "bank_file": Table(
        rows=f"t.id IN {_FILES}",
        plain="id sha256 name size state line element reason entries taken created_at finished_at",
        staff="sent_by",
        # A file is about all who paid on these days.
        personal={"content": dataclasses.replace(_VOUCHER, shown=False)},
    ),
    "bank_file_progress": Table(plain="file_id entries updated_at"),
    "bank_item": Table(
        rows=f"t.id IN {_ITEMS}",
        plain="id entry_id number currency amount credit reversal booked_on detailed charges return_reason state",
        personal=dict.fromkeys(("party", "party_account", "end_to_end_id", "refs", "text"), _VOUCHER),
    ),
    "bank_statement": Table(
        plain="id file_id position kind account reference sequence currency opening closing entries taken pending state line element "
        "reason created_at"
    ),
    "billed_order": Table(
        rows=_ON_FLOW,
        plain="order_id created_at flow_id delivery_id",
        personal={"confirmed": keep("from it follow invoices and credit notes of the order, which name its customer")},
    ),
    "cash_setting": Table(plain="version automatic policy changed_at tolerances", staff="changed_by"),
    "credit_note": Table(
        rows=_ON_FLOW,
        plain="id flow_id number invoice_id invoice_number order_id cause cause_id lines taxes currency net tax gross released rounding "
        "credited_on created_at correction",
        personal={"customer": _CUSTOMER, "reason": keep("it is part of the credit note")},
    ),
    "dispute": Table(
        rows=_ON_FLOW,
        plain="id flow_id invoice_id number order_id category currency amount whole opened_on state credit_id resolved_on created_at "
        "updated_at",
        staff="opened_by resolved_by",
        personal={"reason": _BOOKS, "resolution": _BOOKS},
    ),
    "document_rate": Table(plain="document_id kind currency reporting places rate source valid_on"),
    "dunning": Table(plain="invoice_id look_on ended instalment"),
    "dunning_customer": Table(
        rows=f"t.customer_id IN {_CUSTOMERS}",
        plain="customer_id version policy excluded excluded_until changed_at",
        staff="changed_by",
        personal={"reason": _GONE},
    ),
    "dunning_policy": Table(plain="name version steps interest_percent reason changed_at", staff="changed_by"),
    "dunning_step": Table(
        plain="invoice_id step id days kind policy policy_version currency open fee interest letter hold_orders mailed taken_on created_at "
        "instalment due_on"
    ),
    "erased_flow": Table(plain="flow_id erased_at"),
    "exchange_rate": Table(plain="id source base quote valid_on rate created_at", staff="made_by"),
    "import": Table(
        plain="id file_name header layout state total processed imported duplicates refused created_at finished_at",
        staff="created_by",
    ),
    "import_chunk": Table(
        rows=_MENTIONED.format("convert_from(t.records, 'UTF8')"),
        plain="import_id number",
        personal={"records": own("erasure.erase_person: it waits until the import has taken them", shown=False)},
    ),
    "import_error": Table(rows=_MENTIONED.format("t.reason"), plain="id import_id line field", personal={"reason": _GONE}),
    "instalment": Table(plain="invoice_id number due_on amount later"),
    "instalment_plan": Table(
        rows=_OF_INVOICE,
        plain="invoice_id rest_due_after_days agreed_on called_in_on created_at",
        staff="agreed_by",
        personal={"reason": _GONE},
    ),
    "invoice": Table(
        rows=_ON_FLOW,
        plain="id flow_id number state order_id delivery_id lines taxes currency net tax gross rounding issued_on due_on paid "
        "last_received_on called_overdue_on version created_at updated_at cause cause_id credited settled_on written_off "
        "written_off_tax disputed voided_on next_due_on",
        personal={"customer": _CUSTOMER},
    ),
    "invoice_draft": Table(
        rows=f"t.parent_flow_id = ANY(:flows) OR t.invoice_id IN {_INVOICES}",
        plain="id state lines due_on payment_terms_days parent_flow_id invoice_id version created_at updated_at",
        staff="created_by changed_by",
        personal={"customer": keep("it is the customer of the document that it becomes, or became")},
    ),
    "invoice_sending": Table(plain="id invoice_id channel sent_on created_at", staff="told_by"),
    "journey": Table(plain="flow_id parent_flow_id"),
    "journal_export": Table(plain="id number month country entries created_at", staff="made_by"),
    "journal_export_entry": Table(plain="export_id position entry_id"),
    "late_charge": Table(plain="invoice_id about step_id nature"),
    "ledger_account": Table(plain="code type control created_at", staff="made_by"),
    "ledger_entry": Table(
        rows=_ON_FLOW,
        plain="id booked_on kind flow_id invoice_id payment_id created_at credit_id occurred_on lines reverses",
        staff="made_by",
        personal={"reason": _BOOKS},
    ),
    "ledger_line": Table(plain="entry_id position account currency debit credit"),
    "ledger_valuation": Table(plain="entry_id currency lines"),
    "ledger_value": Table(plain="entry_id position account currency debit credit rate"),
    "number_series": Table(plain="series year last"),
    "order_fact": Table(
        rows="t.order_id IN (SELECT i.order_id FROM invoice i WHERE i.flow_id = ANY(:flows))",
        plain="seq order_id cause_id topic told_at settled_at",
        personal={"data": keep("from it follow invoices and credit notes of the order, which say why")},
    ),
    "past_invoice": Table(
        rows=_OF_INVOICE,
        plain="system number invoice_id disputed import_id",
        personal={"customer": keep("by it a receivable of another system is known, and not taken over again")},
    ),
    # For whom an account pays is learnt, and is learnt anew.
    "payer_account": Table(
        rows=f"t.customer_id IN {_CUSTOMERS}", plain="account customer_id times last_at", delete="it only helps to guess who paid"
    ),
    "payment": Table(
        rows=f"t.id IN {_PAYMENTS}",
        plain="id currency amount applied unapplied method received_on version created_at updated_at refunded",
        personal={"reference": keep("what the payer wrote says what the payment is for: it belongs to the books")},
    ),
    "payment_promise": Table(
        rows=_OF_INVOICE,
        plain="id invoice_id promised_on state noted_at",
        staff="noted_by",
        personal={"note": _GONE},
    ),
    "payment_review": Table(
        rows=f"t.payment_id IN {_PAYMENTS}",
        plain="id payment_id item_id confidence parts state decided_at version created_at",
        staff="decided_by",
        personal={
            "reasons": replace(
                """(SELECT coalesce(jsonb_agg(r.said || '{"text": "(erased)"}' ORDER BY r.nth), '[]')
                    FROM jsonb_array_elements(t.reasons) WITH ORDINALITY AS r (said, nth))"""
            ),
            "why": replace("CASE WHEN t.why IS NOT NULL THEN '(erased)' END"),
        },
    ),
    # A copy of what the statement says, by which the payment was matched.
    "payment_origin": Table(
        rows=f"t.payment_id IN {_PAYMENTS}",
        plain="payment_id item_id",
        personal={
            **dict.fromkeys(("party", "party_account"), replace("''")),
            "end_to_end_id": keep("by it a bank names the payment that it takes back"),
        },
    ),
    "payment_provider": Table(plain="code secret tolerance_s active version changed_at", staff="changed_by"),
    "period_change": Table(plain="seq month state_before state reason created_at", staff="made_by"),
    "provider_event": Table(
        rows=f"t.payment_id IN {_PAYMENTS}",
        plain="id provider event_id type state object_id payment_id hard received_at settled_at",
        staff="decided_by",
        personal={
            "body": keep("what a provider told of money is a voucher of the books (e.g. AO 147: 8 years)"),
            "reason": _BOOKS,
        },
    ),
    "provider_payment": Table(plain="provider object_id payment_id"),
    "refund": Table(
        rows=f"{_ON_FLOW} OR t.payment_id IN {_PAYMENTS}",
        plain="id payment_id currency amount invoice_id number order_id flow_id state requested_on reference executed_on version "
        "created_at updated_at",
        staff="requested_by executed_by",
        personal={"reason": _BOOKS},
    ),
    "reporting_currency": Table(plain="single currency places source set_at", staff="set_by"),
    "tax_rate": Table(plain="id country class valid_from rate source created_at", staff="made_by"),
    "usage_plan": Table(
        rows=f"t.parent_flow_id = ANY(:flows) OR (t.customer->>'customer_id')::uuid IN {_CUSTOMERS}",
        plain="id currency payment_terms_days tariff starts_on ends_on grace_days next_from look_on parent_flow_id version created_at "
        "updated_at",
        staff="created_by",
        personal={"customer": keep("it is the customer of the invoices of what is used")},
    ),
    "usage_record": Table(
        rows=f"t.plan_id IN (SELECT p.id FROM usage_plan p WHERE (p.customer->>'customer_id')::uuid IN {_CUSTOMERS})",  # noqa: S608 - literal text
        plain="id plan_id quantity used_at recorded_at billed_from",
        personal={"key": _VOUCHER, "counted": _VOUCHER},
    ),
    "write_off": Table(
        rows=_ON_FLOW,
        plain="id flow_id invoice_id number order_id currency amount tax cause state policy_version requested_on decided_on created_at "
        "updated_at",
        staff="requested_by decided_by",
        personal={"reason": _BOOKS, "decision": _BOOKS},
    ),
    "write_off_movement": Table(plain="id invoice_id write_off_id cause amount tax booked_on created_at"),
    "write_off_policy": Table(plain="version limits tax_relief set_at", staff="set_by"),
}
# What a payment is learnt by, once it is known whose it was.
OF_PAYMENTS = {name: TABLES[name] for name in ("payer_account", "payment_review", "payment_origin")}
