-- What of the journal was handed to other systems: each entry once, under a number and position of its own.
CREATE TABLE journal_export (
    id         uuid PRIMARY KEY,
    number     text NOT NULL UNIQUE,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    country    char(2),
    entries    int NOT NULL CHECK (entries > 0),
    made_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX journal_export_month ON journal_export (month);
CREATE TABLE journal_export_entry (
    export_id uuid NOT NULL REFERENCES journal_export,
    position  int NOT NULL,
    entry_id  uuid NOT NULL UNIQUE REFERENCES ledger_entry,
    PRIMARY KEY (export_id, position)
);
CREATE TRIGGER journal_export_kept BEFORE UPDATE OR DELETE ON journal_export FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER journal_export_entry_kept BEFORE UPDATE OR DELETE ON journal_export_entry FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

CREATE OR REPLACE VIEW numbered_document AS
SELECT split_part(number, '-', 1) AS series, split_part(number, '-', 2)::int AS year, split_part(number, '-', 3)::bigint AS count,
       number, dated_on
FROM (SELECT number, issued_on AS dated_on FROM invoice WHERE cause <> 'import'
      UNION ALL SELECT number, credited_on FROM credit_note
      UNION ALL SELECT number, created_at::date FROM journal_export) d
WHERE number ~ '^[A-Z]+-[0-9]{4}-[0-9]{1,15}$';
