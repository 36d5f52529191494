-- Who writes: the company's name, address, bank and look on every document a service prints. Versions, never edited, so
-- that a document can be printed again as it was.
CREATE TABLE letterhead (
    version      integer PRIMARY KEY CHECK (version >= 1),
    name         text NOT NULL,
    address      text[] NOT NULL,
    email        text,
    phone        text,
    website      text,
    tax_id       text,
    registration text,
    bank         jsonb NOT NULL,
    footer       text,
    colour       text NOT NULL CHECK (colour ~ '^#[0-9a-f]{6}$'),
    font         text,
    logo         bytea,
    set_by       text NOT NULL,
    set_at       timestamptz NOT NULL
);
