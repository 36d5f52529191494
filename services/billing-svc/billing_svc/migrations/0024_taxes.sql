-- Rates of tax by country, class of product and day; entered by who answers for them, with where they were read.
CREATE TABLE tax_rate (
    id         uuid PRIMARY KEY,
    country    char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    class      text NOT NULL,
    valid_from date NOT NULL,
    rate       numeric NOT NULL CHECK (rate >= 0 AND rate <= 100),
    source     text NOT NULL,
    made_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX tax_rate_day ON tax_rate (country, class, valid_from, id);
CREATE TRIGGER tax_rate_kept BEFORE UPDATE OR DELETE ON tax_rate FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- What documents say of tax, by the day it counts for: what is taken back or was void is below zero. What was taken over from another
-- system was declared there.
CREATE VIEW tax_movement AS
SELECT i.issued_on AS counts_on, i.customer->>'country' AS country, i.currency, i.taxes, 1 AS sign FROM invoice i
WHERE i.state <> 'draft' AND i.cause <> 'import'
UNION ALL
SELECT i.voided_on, i.customer->>'country', i.currency, i.taxes, -1 FROM invoice i WHERE i.state = 'void' AND i.cause <> 'import'
UNION ALL
SELECT greatest(c.credited_on, i.issued_on), c.customer->>'country', c.currency, c.taxes, -1
FROM credit_note c JOIN invoice i ON i.id = c.invoice_id WHERE i.cause <> 'import';
