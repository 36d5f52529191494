"""What of this database is about persons, and what an erasure makes of it: every column of every table.

A new table or column is named here, or a test fails. `ltc_chassis/personal.py` says how. A person is known here by their address
(`:emails`): that of who asked in a ticket, or was asked in a survey; who shall never be asked again, by its hash (`:hashes`). Who
an order goes to is part of a commercial document, and the law has it kept.
"""

from collections.abc import Mapping

from ltc_chassis.personal import CHASSIS, EMPTY, Table, keep, replace

_ASKED = "(SELECT k.id FROM ticket k WHERE lower(k.requester_email) = ANY(:emails))"
_SAID = f"(SELECT c.id FROM ticket_comment c WHERE c.ticket_id IN {_ASKED} OR lower(c.by) = ANY(:emails))"  # noqa: S608 - literal text
_SURVEYED = "(SELECT k.id FROM survey_ask k WHERE lower(k.email) = ANY(:emails))"
_COMMERCIAL = keep("who an order is delivered and billed to: commercial and tax law")
_OF_GOODS = keep("part of the record of a delivery, about the goods")
_DELIVERED = "t.delivery_id IN (SELECT d.id FROM delivery d WHERE lower(d.customer_email) = ANY(:emails))"
_GONE = replace("'(erased)'")

# What names the person by which other rows are found is erased last.
TABLES: Mapping[str, Table] = {
    **CHASSIS,
    "agent_absence": Table(plain="id starts_at ends_at created_at", staff="agent created_by"),
    "delivery": Table(
        rows="lower(t.customer_email) = ANY(:emails)",
        plain="id flow_id version order_id order_number state customer_id customer_country net_amount currency payment_terms_days "
        "invoicing ship_complete period_from period_until handovers changes attempts last_handed_over_at "
        "promised_on promise_version percent completed_at on_time cancellation_state cancellation_requested_at "
        "cancellation_decided_at created_at updated_at",
        personal={
            **dict.fromkeys(("customer_name", "customer_vat_id", "customer_email"), _COMMERCIAL),
            **dict.fromkeys(("note", "cancellation_reason"), _OF_GOODS),
        },
    ),
    "delivery_notice": Table(
        rows=_DELIVERED,
        plain="id delivery_id kind fact state reason language template_version created_at settled_at",
        personal={"data": keep("part of the record of a delivery: what its customer was told of it")},
    ),
    "delivery_line": Table(
        plain="delivery_id position line_id sku description quantity unit_price price_currency base_quantity discount_percent "
        "tax_category tax_rate net_amount net_currency handed_over handed_net returned replaced closed dropped over_percent under_percent "
        "charge_over rule rule_version"
    ),
    "delivery_attempt": Table(
        rows=_DELIVERED,
        plain="id delivery_id number code failed_at next_attempt_on recorded_at",
        staff="recorded_by",
        personal={"note": _OF_GOODS},
    ),
    "delivery_change": Table(plain="change_id delivery_id granted reason decided_at"),
    "delivery_proof": Table(
        rows=_DELIVERED,
        plain="id delivery_id handover_id kind media_type size uploaded_at",
        staff="uploaded_by",
        personal=dict.fromkeys(("name", "sha256", "content"), keep("who received it is the proof of a delivery: commercial law")),
    ),
    "delivery_step": Table(
        plain="id delivery_id line_id position kind name hands_over quantity done state planned_on days chain"
    ),
    "fulfilment_rule": Table(
        plain="code version match pattern valid_from steps over_percent under_percent charge_over calendar active changed_at",
        staff="changed_by",
    ),
    "goods_return": Table(
        rows=_DELIVERED,
        plain="id delivery_id returned_at replace net_amount currency recorded_at",
        staff="recorded_by",
        personal={"reason": _OF_GOODS},
    ),
    "goods_return_line": Table(plain="return_id line_id quantity delivered_before treatment net_amount"),
    "handover": Table(
        rows=_DELIVERED,
        plain="id delivery_id number handed_over_at net_amount currency last recorded_at",
        staff="recorded_by",
        personal={"note": _OF_GOODS},
    ),
    "handover_line": Table(plain="handover_id line_id quantity delivered_before net_amount final"),
    "inbound_mail": Table(
        rows=f"lower(t.sender) = ANY(:emails) OR t.ticket_id IN {_ASKED}",
        plain="id dedupe_key sha256 size state reason ticket_id comment_id received_at",
        staff="received_by",
        personal={
            "raw": EMPTY,
            "emptied_at": replace("coalesce(t.emptied_at, now())", shown=False),
            "sender": EMPTY,
        },
    ),
    "notice_template": Table(plain="kind language version subject text active changed_at", staff="changed_by"),
    "production": Table(
        rows=_DELIVERED,
        plain="id flow_id version number delivery_id order_id order_number line_id step_id sku description quantity start_on needed_by "
        "priority reorder_of attempt state failure reordered settled silence news_due_at job_state quantity_good quantity_scrap segment "
        "work_center actual_start actual_end expected_end as_of report_sequence ended_at created_at updated_at",
        personal={"reason": keep("about machines and material, not about who bought")},
    ),
    "promise": Table(
        rows=_DELIVERED,
        plain="delivery_id version promised_on promised_at",
        personal={"reason": _OF_GOODS},
    ),
    "service_agent": Table(plain="version capacity active changed_at", staff="subject email changed_by"),
    "survey": Table(
        plain="code version kind trigger name texts questions delay_hours every_days sample_percent customer_days valid_days remind_days "
        "active active_since changed_at",
        staff="changed_by",
    ),
    "survey_answer": Table(
        rows=f"t.ask_id IN {_SURVEYED}",
        plain="ask_id question kind choices number day",
        personal={"text": replace("CASE WHEN t.text IS NOT NULL THEN '(erased)' END")},
    ),
    "survey_ask": Table(
        rows="lower(t.email) = ANY(:emails)",
        plain="id flow_id version survey survey_version kind trigger state reason language number customer_id order_id delivery_id "
        "ticket_id due_at wait_until next_at asked_at remind_at reminded_at expires_at ended_at score created_at updated_at",
        staff="created_by",
        personal={
            # For some occasions it ends with the hash of the address.
            "dedupe_key": replace("'erased/' || t.id", shown=False),
            "name": EMPTY,
            "email": EMPTY,
        },
    ),
    "survey_person": Table(
        rows="t.address_hash = ANY(:hashes)",
        plain="asked_at stopped_at stopped_why",
        personal={"address_hash": keep("that nobody asks again who was erased; it says nothing without the address")},
    ),
    "survey_round": Table(plain="survey day after done"),
    "survey_rule": Table(plain="version quiet_days changed_at", staff="changed_by"),
    "ticket_attachment": Table(
        rows=f"t.comment_id IN {_SAID}",
        plain="id comment_id position size",
        personal={
            "name": _GONE,
            "media_type": replace("'application/octet-stream'"),
            "sha256": _GONE,
            "content": replace("''::bytea"),
        },
    ),
    "ticket_change": Table(plain="id ticket_id move at version detail", staff="by"),
    "ticket_clock": Table(
        plain="id ticket_id kind policy policy_version state target_minutes started_at used running_since due_at position next_at "
        "trouble business_minutes within_target ended_at"
    ),
    "ticket_comment": Table(
        rows=f"t.ticket_id IN {_ASKED} OR lower(t.by) = ANY(:emails)",
        plain="id ticket_id told_to author public channel created_at",
        personal={
            "by": replace("CASE WHEN t.author = 'agent' THEN t.by END"),
            "text": _GONE,
            "message_id": EMPTY,
        },
    ),
    "ticket_notice": Table(plain="clock_id level due_at told_at mailed", staff="escalate_to"),
    "ticket_policy": Table(
        plain="code version name position queues priorities response_minutes resolution_minutes warn_percent calendar steps active "
        "changed_at",
        staff="changed_by",
    ),
    "ticket_queue": Table(
        plain="code version name address alerts_to auto_assign reopen_days active changed_at", staff="lead members changed_by"
    ),
    "ticket": Table(
        rows="lower(t.requester_email) = ANY(:emails)",
        plain="id flow_id version number state channel priority queue language customer_id order_id order_number parent_id merged_into "
        "reopened created_at updated_at responded_at resolved_at close_at closed_at due_at",
        staff="assignee created_by",
        personal={
            "subject": _GONE,
            "requester_name": EMPTY,
            "requester_email": EMPTY,
            "external_ref": EMPTY,
        },
    ),
    "working_calendar": Table(plain="code version name calendar changed_at", staff="changed_by"),
}
