"""What of this database is about persons, and what an erasure makes of it: every column of every table.

A new table or column is named here, or a test fails. `ltc_chassis/personal.py` says how. Here `:others` are the visitors (browsers) of
the person's leads. What is kept of a lead (status, times, money, source, country, industry) is what flows and KPIs are made of.
"""

from collections.abc import Mapping

from ltc_chassis.personal import CHASSIS, EMPTY, Table, Treatment, keep, own, replace

_ERASED = replace("'(erased)'")
_WORDS = "CASE WHEN t.{0} IS NOT NULL THEN '(erased)' END"
_OF_LEAD = "t.lead_id = ANY(:leads)"
_SAID = "EXISTS (SELECT 1 FROM unnest(:emails || :phones) AS said WHERE position(said IN lower({})) > 0)"
# The bytes of deliveries need not be text: what is no ASCII stands as octal numbers where they are searched, and an address is ASCII.
_OF_ITEM = "EXISTS (SELECT 1 FROM capture_item i WHERE i.delivery_id = t.id AND i.lead_id = ANY(:leads)) OR "
# Of the company's own fields those stay that it declared as not personal; what no definition vouches for goes.
_OWN_FIELDS = """
    (SELECT coalesce(jsonb_object_agg(v.key, v.value), '{}') FROM jsonb_each(t.custom) AS v
     WHERE EXISTS (SELECT 1 FROM custom_field f WHERE f.entity = 'lead' AND f.key = v.key AND NOT f.personal))
"""
_NAMES_ONLY = "(SELECT coalesce(jsonb_object_agg(k, 'null'::jsonb), '{}') FROM jsonb_object_keys(t.changes) AS k)"

# What comes and goes by itself within moments; a preview is not void when it does.
TRANSIENT = frozenset(("idempotency_key", "import_chunk", "outbox", "parked"))
# What other services do when a person is erased, and what the law has them keep.
ELSEWHERE: Mapping[str, str] = {
    "sales-svc": "contacts, texts about the person, names of private deals and waiting mails are emptied; accepted quotes and signed "
    "contracts stay, as proof of the deal and for the limitation periods of claims",
    "order-svc, billing-svc": "what was noted about the person, waiting mails and known accounts are emptied; orders, invoices, statements of "
    "the bank and books name their customer: commercial and tax law keeps them",
    "delivery-svc": "deliveries name their customer: commercial law keeps them; tickets and surveys are erased by the address",
    "metrics-svc": "numbers and times of flows, which name nobody",
    "Kafka": "events that were published are deleted by the broker after their retention (docs/privacy.md)",
}

TABLES: Mapping[str, Table] = {
    **CHASSIS,
    "activity": Table(rows=_OF_LEAD, plain="id lead_id code occurred_at recorded_at", staff="recorded_by"),
    "assignment": Table(rows=_OF_LEAD, plain="id lead_id territory territory_version assigned_at", staff="rep by candidates"),
    "assignment_change": Table(plain="id entity code version at", staff="body by"),
    "assignment_sweep": Table(plain="one at_lead restart_at"),
    "campaign": Table(
        plain="id code name channel starts_on ends_on budget currency version created_at updated_at",
        staff="created_by updated_by",
    ),
    "campaign_spend": Table(
        plain="campaign_id day source amount currency clicks impressions revision recorded_at", staff="recorded_by"
    ),
    "capture_budget": Table(plain="endpoint_id hour kept bytes dropped"),
    "capture_delivery": Table(
        rows=_OF_ITEM + _SAID.format("encode(t.body, 'escape')"),
        # `client` is a machine of the platform.
        plain="id endpoint_id received_at client headers size sha256 nonce genuine state problem field reason attempts next_attempt_at "
        "settled_at",
        staff="retried_by",
        # A delivery may tell of others, too; what it says of the person is shown where the lead is.
        personal={"body": Treatment("empty", "NULL", shown=False), "query": replace("''", shown=False)},
    ),
    "capture_endpoint": Table(
        plain="id kind key name secret verify_secret fetch_secret fetch_url fetch_version channel source campaign campaigns mapping "
        "consent skew_s active version created_at updated_at retired_at",
        staff="created_by updated_by retired_by",
    ),
    "capture_endpoint_version": Table(plain="endpoint_id version body changed_at", staff="changed_by"),
    "capture_item": Table(
        rows=f"{_OF_LEAD} OR " + _SAID.format("encode(t.answers, 'escape')"),
        plain="id delivery_id endpoint_id state problem field reason attempts next_attempt_at lead_id settled_at",
        personal={
            "external_id": keep("so that the platform's repetition of the same lead does not bring the person back"),
            "answers": Treatment("empty", "NULL", shown=False),
        },
    ),
    "capture_setting": Table(plain="version keep_days bad_per_hour bad_bytes created_at", staff="created_by"),
    "channel": Table(plain="code label kind created_at", staff="created_by"),
    "desk": Table(plain="kind version calendar changed_at", staff="name subject email changed_by"),
    "disqualification": Table(
        rows=_OF_LEAD,
        plain="id lead_id code kind from_status opportunity_id decided_at returns_at ended_at",
        staff="decided_by",
        personal={"reason": _ERASED},
    ),
    "disqualification_reason": Table(
        plain="code kind label wait_days sales_reasons active version changed_at", staff="changed_by"
    ),
    "disqualification_reason_version": Table(plain="code version body changed_at", staff="changed_by"),
    "duplicate_member": Table(rows=_OF_LEAD, plain="scan_id lead_id group_id matched_on likeness"),
    "duplicate_policy": Table(plain="version valid_from email phone domain name likeness created_at", staff="created_by"),
    "duplicate_scan": Table(
        rows="t.at_lead = ANY(:leads)",
        plain="id kinds likeness state at_kind at_lead total processed created_at finished_at",
        staff="created_by",
        # The key that a scan is at is an address; while it runs it needs that for the next second.
        personal={"at_value": replace("CASE WHEN t.state = 'running' THEN t.at_value ELSE '' END", shown=False)},
    ),
    "erased_ref": Table(plain="kind hash erased_at"),
    "feedback_export": Table(
        plain="id platform setting_version period_from period_until state examined conversions adjustments left_out last_lead_id "
        "complete created_at finished_at",
        staff="created_by",
    ),
    "feedback_item": Table(
        rows=_OF_LEAD,
        plain="id export_id platform lead_id what kind original_id name occurred_at told_at amount currency",
        personal={"person": EMPTY},
    ),
    "feedback_setting": Table(plain="platform version qualified collected junk landing_url created_at", staff="created_by"),
    "form": Table(
        plain="key name active version published draft created_at updated_at retired_at", staff="created_by updated_by"
    ),
    "form_change": Table(plain="id form version action body at", staff="by"),
    "form_count": Table(plain="form day what n"),
    "form_submission": Table(rows=_OF_LEAD, plain="id form version language lead_id outcome submitted_at"),
    "form_version": Table(plain="form version body published_at", staff="published_by"),
    "import_chunk": Table(
        rows=_SAID.format("convert_from(t.records, 'UTF8')"),
        plain="import_id number",
        personal={"records": own("privacy.erase_due: it waits until the import has taken them, which is seconds", shown=False)},
    ),
    "import_error": Table(rows=_SAID.format("t.reason"), plain="id import_id line field", personal={"reason": _ERASED}),
    "lead": Table(
        rows="t.id = ANY(:leads)",
        plain="id flow_id status captured_via channel source campaign country industry company_size amount currency version "
        "created_at updated_at merged_into duplicate_of region channel_group segments classified erased_at",
        staff="owner",
        personal={
            "contact": EMPTY,
            # A company of one is a person; that it was a company of this size, industry and country stays.
            "company": EMPTY,
            "website": EMPTY,
            "external_ref": EMPTY,
            "attributes": replace("'{}'"),
            "custom": replace(_OWN_FIELDS),
            "disqualified_reason": replace("CASE WHEN t.disqualified_reason IS NOT NULL THEN '(erased)' END"),
        },
    ),
    "lead_cash": Table(rows=_OF_LEAD, plain="id lead_id amount currency invoice_id occurred_at"),
    "lead_change": Table(rows=_OF_LEAD, plain="id lead_id version at", staff="by", personal={"changes": replace(_NAMES_ONLY)}),
    "lead_consent": Table(
        rows=_OF_LEAD,
        plain="id lead_id purpose given said_at wording_version recorded_at",
        staff="recorded_by",
        personal={
            "wording": keep("the company's own words, which show that it asked properly"),
            "source": keep("where it was said, without who said it"),
            "evidence": replace("'{}'"),
        },
    ),
    "lead_import": Table(
        plain="id file_name mapping nulls defaults state total processed imported duplicates refused created_at finished_at header outcomes"
    ),
    "lead_key": Table(
        rows=_OF_LEAD, plain="kind lead_id", personal={"value": EMPTY}, delete="a lead without keys is found by nothing any more"
    ),
    "lead_log": Table(
        rows=_OF_LEAD,
        plain="id lead_id activity_id task_id type direction occurred_at recorded_at",
        staff="recorded_by",
        personal={name: replace(_WORDS.format(name)) for name in ("subject", "note", "outcome")},
    ),
    "lead_merge": Table(
        rows="t.survivor_id = ANY(:leads) OR t.merged_id = ANY(:leads)",
        plain="id survivor_id merged_id merged_at undone_at",
        staff="merged_by undone_by",
        personal={
            # Both leads as they were, one of which may be somebody else.
            **dict.fromkeys(("before", "after", "moved", "dropped"), replace("'{}'", shown=False)),
            "erased": replace("true"),
        },
    ),
    "lead_opportunity": Table(
        rows=_OF_LEAD, plain="opportunity_id lead_id state opened_at closed_at", personal={"reason": EMPTY}
    ),
    "lead_outcome": Table(rows=_OF_LEAD, plain="lead_id qualified_at converted_at won_at lost_at"),
    "lead_score": Table(rows=_OF_LEAD, plain="lead_id band ceiling rule_version next_look_at"),
    "lead_step": Table(rows="t.lead_id = ANY(:leads) AND t.what <> 'owner'", plain="id lead_id what was became at"),
    "lease": Table(rows=_OF_LEAD, plain="id lead_id policy claimed_at until limit_at ended_at ended_by", staff="owner"),
    "lease_lead": Table(rows=_OF_LEAD, plain="lease_id lead_id held"),
    "mail_reply": Table(
        rows=_OF_LEAD,
        plain="id kind delivery_id lead_id matched_by received_at",
        staff="recorded_by",
        # It may name the sender's own computer.
        personal={
            "message_id": replace(
                "CASE WHEN t.message_id LIKE 'erased:%' THEN t.message_id "
                "ELSE 'erased:' || encode(sha256(convert_to(t.message_id, 'UTF8')), 'hex') END"
            )
        },
    ),
    "mail_suppression": Table(
        rows="t.address_hash = ANY(:hashes)",
        plain="id why at lifted_at",
        staff="by lifted_by",
        personal={
            "address_hash": keep("so that the person is not written to again, though an old list is imported"),
            "source": keep("why the address gets nothing"),
        },
    ),
    "manual_score": Table(
        rows=_OF_LEAD,
        plain="id lead_id value set_at expires_at ended_at",
        staff="set_by ended_by",
        personal={"reason": _ERASED},
    ),
    "nurture_delivery": Table(
        rows=_OF_LEAD,
        plain="id enrolment_id lead_id journey_id version step position mail_id message_id outcome posted_at sent_at opened_at "
        "opened_by_bot clicked_at clicked_by_bot replied_at unsubscribed_at",
        personal={
            "address_hash": keep("so that the link to unsubscribe in a mail that was sent still works"),
            "links": replace("'{}'"),
        },
    ),
    "nurture_enrolment": Table(
        rows=_OF_LEAD,
        plain="id journey_id version lead_id flow_id how enrolled_at state position due_at held mails ended_by ended_at",
        staff="enrolled_by",
    ),
    "nurture_journey": Table(
        plain="id code name created_at lead_cursor activity_cursor full_cursor full_due_at", staff="created_by"
    ),
    "nurture_move": Table(plain="id journey_id version move at", staff="by"),
    "nurture_version": Table(plain="journey_id version state body created_at", staff="created_by"),
    "page_rule": Table(plain="id site path_prefix activity created_at retired_at", staff="created_by retired_by"),
    "page_view": Table(
        rows="t.visitor_id = ANY(:others)",
        plain="id site kind path channel source campaign occurred_at",
        personal={"visitor_id": EMPTY},
    ),
    "partner": Table(
        plain="id name territory notes exclusive_days active version created_at updated_at", staff="subject created_by updated_by"
    ),
    "partner_change": Table(plain="id partner_id version changes at", staff="by"),
    "partner_code": Table(plain="id partner_id code created_at expires_at", staff="created_by"),
    # A model is made of counts over many leads, not of a lead; it learns from the rows that are there when it is made anew.
    "predictive_model": Table(
        plain="id version state policy_version requested_at attempts trained_at examples positives auc auc_folds brier calibration body "
        "left_out note decided_at",
        staff="requested_by decided_by",
    ),
    "predictive_policy": Table(
        plain="version enabled positive excluded min_examples min_auc margin retrain_days max_rows created_at", staff="created_by"
    ),
    "predictive_schedule": Table(plain="one next_at"),
    "privacy_file": Table(
        rows="t.request_id IN (SELECT r.id FROM privacy_request r WHERE r.subject && :hashes)",
        plain="request_id sha256 made_at expires_at",
        personal={"content": own("privacy.erase_due", shown=False)},
        delete="a copy of what is known of the person",
    ),
    "privacy_move": Table(plain="id request_id move at detail", staff="by"),
    "privacy_request": Table(
        rows="t.subject && :hashes",
        plain="id kind state lead_ids reason channel reference received_at due_on preview digest identity next_at outcome refusal closed_at",
        staff="received_by confirmed_by",
        personal={
            **dict.fromkeys(("emails", "phones"), own("privacy.closed: they go when the request is over")),
            "subject": keep("a keyed hash, which proves that the person's wish was followed"),
        },
    ),
    "protection_policy": Table(
        plain="version valid_from protection_days extension_days limit_days cooling_off_days max_held qualifying created_at",
        staff="created_by",
    ),
    "referral": Table(rows=_OF_LEAD, plain="id lead_id partner_id code_id referred_at", personal={"reference": EMPTY}),
    "response_clock": Table(
        rows=_OF_LEAD,
        plain="id lead_id policy policy_version why state started_at due_at warns moments position next_at trouble responded_at activity "
        "business_minutes within_target dropped_by ended_at",
        staff="responded_by",
    ),
    "response_notice": Table(plain="clock_id level due_at told_at mailed to_pool", staff="escalate_to owner"),
    "rep": Table(plain="team max_per_30_days languages active credit version", staff="subject name"),
    "rep_absence": Table(plain="id since until", staff="subject"),
    "score_rule": Table(plain="version valid_from rule created_at", staff="created_by"),
    "segment_rule": Table(
        plain="kind code version label condition sets priority active valid_from created_at", staff="created_by"
    ),
    "segment_run": Table(plain="id due_at after looked_at changed done_at"),
    "sla_policy": Table(
        plain="code version name priority condition target_minutes warn_percent calendar steps on_return active created_at",
        staff="created_by",
    ),
    "site": Table(plain="key name hosts active version created_at updated_at", staff="created_by updated_by"),
    "task": Table(
        rows=_OF_LEAD,
        plain="id lead_id clock_id type priority due_at state overdue_at version created_at updated_at closed_at",
        staff="assignee created_by closed_by",
        personal={"title": _ERASED, **{name: replace(_WORDS.format(name)) for name in ("note", "outcome", "cancel_reason")}},
    ),
    "territory": Table(plain="code name priority condition language active version", staff="members"),
    "touch": Table(
        rows="t.lead_id = ANY(:leads) OR t.visitor_id = ANY(:others)",
        # By which way people come is what attribution is made of.
        plain="id lead_id occurred_at channel source medium campaign",
        personal={
            **dict.fromkeys(("visitor_id", "term", "content", "page", "referrer"), EMPTY),
            "click_ids": replace("'{}'"),
        },
    ),
    "visitor": Table(
        rows=_OF_LEAD, plain="id lead_id first_seen_at last_seen_at", delete="a browser that is nobody's is recognised no more"
    ),
    "what_if": Table(
        plain="id rule base_version population as_of state total processed matched listed last_lead_id matrix newly no_longer created_at "
        "finished_at",
        staff="created_by",
    ),
    "what_if_lead": Table(
        rows=_OF_LEAD, plain="what_if_id lead_id from_band to_band from_total to_total newly no_longer qualifies_at"
    ),
}
