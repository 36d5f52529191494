-- What the audit compares. Whoever adds a series of numbers, or something that moves a control account, adds it to these views.

-- Every document with a number of ours, by series and year; what was taken over keeps the number that it had elsewhere.
CREATE VIEW numbered_document AS
SELECT split_part(number, '-', 1) AS series, split_part(number, '-', 2)::int AS year, split_part(number, '-', 3)::bigint AS count,
       number, dated_on
FROM (SELECT number, issued_on AS dated_on FROM invoice WHERE cause <> 'import'
      UNION ALL SELECT number, credited_on FROM credit_note) d
WHERE number ~ '^[A-Z]+-[0-9]{4}-[0-9]{1,15}$';

-- What documents and payments move on the accounts that they keep, by the day for which it counts; debits above zero.
CREATE VIEW subledger_movement AS
SELECT 'receivable' AS account, currency, issued_on AS counts_on, gross AS amount FROM invoice WHERE state <> 'draft'
UNION ALL
SELECT 'receivable', currency, voided_on, -gross FROM invoice WHERE state = 'void'
UNION ALL
SELECT 'receivable', c.currency, greatest(c.credited_on, i.issued_on), -c.gross FROM credit_note c JOIN invoice i ON i.id = c.invoice_id
UNION ALL
SELECT 'receivable', i.currency, a.allocated_on, -a.amount FROM allocation a JOIN invoice i ON i.id = a.invoice_id
UNION ALL
SELECT 'unapplied_cash', currency, received_on, -amount FROM payment
UNION ALL
SELECT 'unapplied_cash', p.currency, a.allocated_on, a.amount FROM allocation a JOIN payment p ON p.id = a.payment_id;

-- What is kept beside the facts that it follows from, for quick reading, and what the facts say.
CREATE VIEW kept_amount AS
SELECT 'invoice' AS kind, i.id, i.number, 'paid' AS what, i.currency, i.paid AS kept,
       coalesce((SELECT sum(a.amount) FROM allocation a WHERE a.invoice_id = i.id), 0) AS facts
FROM invoice i
UNION ALL
SELECT 'invoice', i.id, i.number, 'credited', i.currency, i.credited,
       coalesce((SELECT sum(c.gross) FROM credit_note c WHERE c.invoice_id = i.id), 0)
FROM invoice i
UNION ALL
SELECT 'payment', p.id, NULL, 'applied', p.currency, p.applied,
       coalesce((SELECT sum(a.amount) FROM allocation a WHERE a.payment_id = p.id), 0)
FROM payment p;

-- Which entry a document must have been booked by.
CREATE VIEW unbooked_document AS
SELECT 'invoice' AS kind, i.id, i.number, i.issued_on AS dated_on FROM invoice i
WHERE i.state = 'final' AND i.gross <> 0 AND NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.invoice_id = i.id AND e.kind = 'invoice')
UNION ALL
SELECT 'credit', c.id, c.number, c.credited_on FROM credit_note c
WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.credit_id = c.id AND e.kind = 'credit')
UNION ALL
SELECT 'payment', p.id, NULL, p.received_on FROM payment p
WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.payment_id = p.id AND e.kind = 'payment');

CREATE INDEX ledger_entry_credit ON ledger_entry (credit_id) WHERE credit_id IS NOT NULL;
