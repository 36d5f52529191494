-- From here on events are kept without what is about a person (`ltc_contracts/personal.py`); those that are here already lose it, too.
-- No fact changes: none is made of it.
ALTER TABLE event DISABLE TRIGGER event_kept;
UPDATE event SET data = data - 'contact' - 'external_ref' - 'website' WHERE topic IN ('lead.qualified', 'lead.captured');
UPDATE event SET data = jsonb_set(data, '{touches}', (
    SELECT coalesce(jsonb_agg(t - 'term' - 'content' - 'page' - 'referrer' - 'click_ids'), '[]') FROM jsonb_array_elements(data->'touches') AS t))
WHERE topic = 'lead.captured' AND jsonb_typeof(data->'touches') = 'array';
UPDATE event SET data = jsonb_set(data, '{touch}', (data->'touch') - 'term' - 'content' - 'page' - 'referrer' - 'click_ids')
WHERE topic = 'lead.touched';
UPDATE event SET data = data #- '{customer,name}' #- '{customer,email}' #- '{customer,vat_id}'
WHERE topic IN ('contract.signed', 'order.received', 'order.confirmed', 'delivery.completed', 'invoice.issued')
  AND jsonb_typeof(data->'customer') = 'object';
UPDATE event SET data = data - 'customer' WHERE topic = 'contract.renewal_due';
UPDATE event SET data = data - 'signed_by' WHERE topic = 'contract.signed';
UPDATE event SET data = data - 'name' - 'external_ref' WHERE topic = 'opportunity.opened';
UPDATE event SET data = data - 'reason' - 'note' - 'reference'
WHERE topic IN ('delivery.cancelled', 'delivery.progressed', 'invoice.credited', 'lead.disqualified', 'lead.recycled', 'opportunity.lost',
                'opportunity.won', 'order.cancellation_requested', 'order.cancelled', 'payment.received', 'payment.refunded', 'quote.rejected');
ALTER TABLE event ENABLE TRIGGER event_kept;
