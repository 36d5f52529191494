"""What of this database is about persons, and what an erasure makes of it: every column of every table.

A new table or column is named here, or a test fails. `ltc_chassis/personal.py` says how. Here `:leads` are the erased leads, `:others`
the contacts, `:flows` the flows of their deals. A company is no person: accounts stay. What was sent to a customer, accepted or signed
is a commercial letter or the proof of a deal, and the law has it kept; docs/privacy.md tells which.
"""

import dataclasses
from collections.abc import Mapping

from ltc_chassis.personal import CHASSIS, EMPTY, Table, keep, own, replace

_DEALS = "(SELECT o.id FROM opportunity o WHERE o.lead_id = ANY(:leads))"
_OF_DEAL = f"t.opportunity_id IN {_DEALS}"
_OF_QUOTE = f"t.quote_id IN (SELECT q.id FROM quote q WHERE q.opportunity_id IN {_DEALS})"  # noqa: S608 - literal text
_OF_CONTRACT = f"t.contract_id IN (SELECT c.id FROM contract c WHERE c.opportunity_id IN {_DEALS})"  # noqa: S608 - literal text
_SAID = "EXISTS (SELECT 1 FROM unnest(:emails || :phones) AS said WHERE position(said IN lower({})) > 0)"
_LETTER = keep("an offer that was sent is a commercial letter")
_PROOF = keep("proof of the deal: who agreed to what, when and from where")
_ERASE_DEALS = own("erasure.erase_deals")


def _while_draft(empty: str, column: str) -> str:
    return f"CASE WHEN t.sent_at IS NULL THEN {empty} ELSE t.{column} END"


TABLES: Mapping[str, Table] = {
    **CHASSIS,
    # Mails of a deal go to the company's own people, too.
    "mail": dataclasses.replace(CHASSIS["mail"], rows="lower(t.recipient) = ANY(:emails)"),
    "mail_attachment": dataclasses.replace(
        CHASSIS["mail_attachment"], rows="t.mail_id IN (SELECT m.id FROM mail m WHERE lower(m.recipient) = ANY(:emails))"
    ),
    # An account with the person's own name is a private customer; any other is a company's.
    "account": Table(
        rows=f"t.id IN (SELECT (q.customer->>'customer_id')::uuid FROM quote q WHERE q.opportunity_id IN {_DEALS})",  # noqa: S608 - literal text
        plain="id country created_at industry segment region size parent_id merged_into version updated_at",
        staff="owner",
        personal=dict.fromkeys(
            ("name", "name_key", "website", "domain", "vat_id", "custom"),
            own("erasure.erase_accounts: of private customers without a signed contract, who would be our party in it"),
        ),
    ),
    "account_identity": Table(
        rows=f"t.account_id IN (SELECT (q.customer->>'customer_id')::uuid FROM quote q WHERE q.opportunity_id IN {_DEALS})",  # noqa: S608 - literal text
        plain="kind account_id",
        personal={"value": own("erasure.erase_accounts")},
    ),
    "account_member": Table(plain="account_id role", staff="member"),
    "activity": Table(
        rows=f"t.contact_id = ANY(:others) OR t.contact_id IS NULL AND {_OF_DEAL}",
        plain="id type account_id opportunity_id contact_id occurred_at due_at done_at version created_at updated_at",
        staff="by assignee done_by",
        personal=dict.fromkeys(("subject", "body"), own("activities.erase_of_persons")),
    ),
    "approval_policy": Table(plain="version levels set_at", staff="set_by"),
    "approval_round": Table(plain="quote_id round policy_version requested_at figures", staff="requested_by"),
    "approval_step": Table(
        rows=_OF_QUOTE,
        plain="quote_id round position role reasons state decided_at",
        staff="approvers decided_by",
        personal={"comment": EMPTY},
    ),
    "change_log": Table(
        rows=f"t.entity = 'opportunity' AND t.entity_id IN (SELECT id::text FROM opportunity o WHERE o.id IN {_DEALS})",  # noqa: S608 - literal text
        plain="id entity entity_id version at",
        staff="by",
        # That a text changed stays, what it was does not.
        personal={
            "changes": replace(
                """
                (SELECT coalesce(jsonb_object_agg(c.key, CASE
                    WHEN c.key IN ('name', 'opened', 'next_step', 'lost_reason', 'reason', 'won_reason', 'custom', 'external_ref')
                    THEN 'null'::jsonb ELSE c.value END), '{}') FROM jsonb_each(t.changes) AS c)
                """
            )
        },
    ),
    "checklist_done": Table(plain="opportunity_id stage item done_at", staff="done_by"),
    "clause": Table(
        plain="id code language version title text valid_from created_at approved_at", staff="created_by approved_by"
    ),
    "commission_assignment": Table(plain="id plan valid_from valid_until created_at ended_at", staff="rep created_by ended_by"),
    "commission_cash": Table(plain="kind cause_id invoice_id gross net happened_on created_at"),
    "commission_deal": Table(
        plain="contract_id flow_id opportunity_id pipeline skus nets net currency signed_at cancelled version updated_at",
        staff="owner",
    ),
    "commission_entry": Table(plain="id position_id kind part amount currency cause cause_id booked_on created_at", staff="rep"),
    "commission_invoice": Table(plain="invoice_id contract_id number net gross"),
    "commission_plan": Table(
        plain="id code version name rate tiers period currency products pipelines splits valid_from created_at",
        staff="created_by",
    ),
    "commission_position": Table(
        plain="id contract_id plan plan_version share base rate amount currency signed_on created_at", staff="rep"
    ),
    "commission_split": Table(plain="id opportunity_id version created_at", staff="shares created_by"),
    "competitor": Table(plain="id name name_key active version"),
    "contact": Table(
        rows="t.id = ANY(:others)",
        plain="id account_id is_primary erased_at version created_at updated_at",
        personal=dict.fromkeys(("name", "email", "email_key", "phone", "role"), own("contacts.erase_contact")),
    ),
    "contract": Table(
        rows=_OF_DEAL,
        plain="id flow_id opportunity_id quote_id number state document_sha256 signed_at version created_at updated_at contract_version "
        "template template_version language months auto_renew renewal_months notice_days countersign sign_within_days sign_by pdf_sha256",
        personal=dict.fromkeys(("document", "signed_by", "closed_reason"), _PROOF),
    ),
    "contract_certificate": Table(rows=_OF_CONTRACT, plain="contract_id sha256 printed_at", personal={"pdf": _PROOF}),
    "contract_record": Table(
        rows=_OF_CONTRACT,
        plain="contract_id number happening at previous digest",
        personal=dict.fromkeys(("by", "address", "user_agent", "detail"), _PROOF),
    ),
    "contract_reminder": Table(plain="contract_id term days_before due_on done_at"),
    "contract_signature": Table(
        rows=_OF_CONTRACT,
        plain="contract_id party method consent signed_at contract_version document_sha256 pdf_sha256",
        personal=dict.fromkeys(("name", "address", "user_agent"), _PROOF),
    ),
    "contract_template": Table(
        plain="id code version name language automatic priority condition clauses months auto_renew renewal_months notice_days "
        "countersign sign_within_days valid_from created_at",
        staff="created_by",
    ),
    "contract_term": Table(plain="contract_id number starts_on ends_on notice_by auto_renew state"),
    "contract_version": Table(
        rows=_OF_CONTRACT,
        plain="contract_id contract_version quote_id supplier letterhead wordings document_sha256 created_at pdf_sha256",
        staff="author",
        personal=dict.fromkeys(("document", "reason", "pdf"), _PROOF),
    ),
    "erased_lead": Table(plain="lead_id erased_at"),
    "forecast_call": Table(plain="id period kind name category currency amount note created_at", staff="created_by"),
    "held_lead": Table(
        rows="t.lead_id = ANY(:leads)",
        plain="id lead_id flow_id account_id opportunity_id contact_id state decided_at created_at",
        staff="rep other_rep decided_by",
        personal={"deal": replace("jsonb_set(t.deal, '{name}', coalesce(t.deal->'public_name', '\"erased\"'))")},
    ),
    "import": Table(
        plain="id kind file_name header layout state total processed imported duplicates refused created_at finished_at",
        staff="created_by",
    ),
    "import_chunk": Table(
        rows=_SAID.format("convert_from(t.records, 'UTF8')"),
        plain="import_id number",
        personal={"records": own("erasure.erase_person: it waits until the import has taken them", shown=False)},
    ),
    "import_error": Table(
        rows=_SAID.format("t.reason"), plain="id import_id line field", personal={"reason": replace("'(erased)'")}
    ),
    "merged_lead": Table(plain="merge_id lead_id survivor_id undone"),
    "number_series": Table(plain="name last"),
    "opportunity": Table(
        rows="t.lead_id = ANY(:leads)",
        plain="id flow_id lead_id company country stage probability amount currency channel source stage_since version created_at updated_at "
        "account_id contact_id pipeline pipeline_version furthest region segment campaign products expected_close_on next_step_due "
        "category opened_at closed_at reason_code won_reason competitors living_lead_id",
        staff="owner team",
        personal={
            **dict.fromkeys(("name", "lost_reason", "next_step", "custom"), _ERASE_DEALS),
            "external_ref": keep("by it an import knows the deal, and does not open it again"),
        },
    ),
    "opportunity_member": Table(plain="opportunity_id role share", staff="member"),
    "opportunity_state": Table(
        plain="id opportunity_id valid_from stage pipeline pipeline_version probability amount currency category expected_close_on",
        staff="owner team",
    ),
    "outcome_reason": Table(plain="outcome code label position active version"),
    "pipeline": Table(plain="code latest is_default archived"),
    "pipeline_version": Table(plain="pipeline version name stages created_at", staff="created_by"),
    "price": Table(
        plain="id book sku version valid_from valid_until model tiers base_quantity minimum_quantity maximum_quantity unit_cost changed_at"
    ),
    "price_book": Table(
        plain="code version name currency countries region segment priority valid_from valid_until active changed_at"
    ),
    "product": Table(
        plain="sku version name description unit kind period meter taxes components pricing bundle_discount active changed_at"
    ),
    "quota": Table(plain="id period kind name currency amount version created_at", staff="created_by"),
    "quote": Table(
        rows=_OF_DEAL,
        plain="id flow_id opportunity_id number quote_version state lines net currency valid_until payment_terms_days requested_on version "
        "created_at updated_at items language terms price_book discount_percent discount_amount copied_from sent_at",
        staff="created_by edited_by",
        # One that was sent is a commercial letter and stays whole.
        personal={
            "customer": replace(
                """
                CASE WHEN t.sent_at IS NOT NULL THEN t.customer
                     WHEN EXISTS (SELECT 1 FROM opportunity o WHERE o.id = t.opportunity_id AND o.company IS NULL)
                     THEN (t.customer - 'email') || '{"name": "erased"}' ELSE t.customer - 'email' END
                """
            ),
            "contact": replace(_while_draft("NULL", "contact")),
            "address": replace(_while_draft("'{}'", "address")),
            "introduction": replace(_while_draft("''", "introduction")),
            "closed_reason": EMPTY,
            "custom": replace(_while_draft("'{}'", "custom")),
        },
    ),
    "quote_answer": Table(
        rows=_OF_QUOTE,
        plain="quote_id answer via link_id pdf_sha256 at consent",
        staff="by",
        personal=dict.fromkeys(("name", "reason", "address", "user_agent", "role", "email", "order_reference"), _PROOF),
    ),
    "quote_document": Table(rows=_OF_QUOTE, plain="quote_id sha256 letterhead printed_at", personal={"pdf": _LETTER}),
    "quote_link": Table(
        rows=_OF_QUOTE,
        plain="id quote_id created_at expires_at opened_at revoked_at reminded_at last_opened_at looks",
        staff="created_by revoked_by",
        personal=dict.fromkeys(("mailed_to", "name", "remind_on"), EMPTY),
    ),
    "quote_question": Table(
        rows=f"t.link_id IN (SELECT l.id FROM quote_link l JOIN quote q ON q.id = l.quote_id WHERE q.opportunity_id IN {_DEALS})",  # noqa: S608 - literal text
        plain="link_id activity_id asked_at",
        personal={"digest": keep("so that the same question sent twice is one; the words are gone with the activity")},
    ),
    "renewal_policy": Table(plain="version days_before created_at", staff="mail_to created_by"),
    "rep": Table(plain="id team region active version", staff="name manager email"),
    "sales_policy": Table(plain="version due_days young_days small_sample created_at", staff="created_by"),
    "snapshot": Table(plain="day taken_at"),
    "snapshot_deal": Table(
        plain="day opportunity_id stage pipeline probability amount currency category expected_close_on", staff="owner team"
    ),
    "stage_change": Table(plain="id opportunity_id from_stage to_stage seconds_in_stage changed_at backward", staff="by"),
}
