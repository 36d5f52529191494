-- A return is credited once per invoice. The cent by which its rounding differs from what is left in the end is a note beside that one.
ALTER TABLE credit_note ADD COLUMN correction boolean NOT NULL DEFAULT false;
DROP INDEX credit_note_once;
CREATE UNIQUE INDEX credit_note_once ON credit_note (cause_id, invoice_id) WHERE cause IN ('return', 'cancellation') AND NOT correction;
