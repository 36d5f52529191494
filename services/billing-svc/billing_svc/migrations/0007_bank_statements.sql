-- What banks told of our accounts. A file is taken in one transaction, so nothing of it is there before all of it is.

CREATE TABLE bank_file (
    id          uuid PRIMARY KEY,
    sha256      bytea NOT NULL,
    name        text NOT NULL,
    size        int NOT NULL,
    content     bytea NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'done', 'refused')),
    line        int,
    element     text,
    reason      text,
    entries     int NOT NULL DEFAULT 0,
    taken       int NOT NULL DEFAULT 0,
    sent_by     text NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((state = 'waiting') = (finished_at IS NULL)),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);
-- The same bytes are taken once; what was refused may be sent again.
CREATE UNIQUE INDEX bank_file_once ON bank_file (sha256) WHERE state <> 'refused';
CREATE INDEX bank_file_waits ON bank_file (id) WHERE state = 'waiting';

-- How far the import of a file is, written beside its transaction.
CREATE TABLE bank_file_progress (
    file_id    uuid PRIMARY KEY REFERENCES bank_file,
    entries    int NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE bank_statement (
    id          uuid PRIMARY KEY,
    file_id     uuid NOT NULL REFERENCES bank_file,
    position    int NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('camt.053', 'camt.054', 'mt940')),
    account     text NOT NULL,
    reference   text NOT NULL,
    sequence    text NOT NULL,
    currency    char(3),
    opening     numeric,
    closing     numeric,
    entries     int NOT NULL,
    taken       int NOT NULL,
    pending     int NOT NULL,
    state       text NOT NULL CHECK (state IN ('taken', 'known', 'refused')),
    line        int,
    element     text,
    reason      text,
    created_at  timestamptz NOT NULL,
    UNIQUE (file_id, position),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (taken <= entries)
);

CREATE TABLE bank_entry (
    id             uuid PRIMARY KEY,
    -- Of account, statement and content: the same entry is taken once.
    identity       bytea NOT NULL UNIQUE,
    statement_id   uuid NOT NULL,
    position       int NOT NULL,
    kind           text NOT NULL,
    account        text NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric NOT NULL,
    booked_on      date NOT NULL,
    valued_on      date NOT NULL,
    reversal       boolean NOT NULL,
    bank_reference text NOT NULL,
    mark           text NOT NULL,
    code           text NOT NULL,
    -- A message of another kind told of the same booking before.
    same_as        uuid REFERENCES bank_entry,
    created_at     timestamptz NOT NULL
);
CREATE INDEX bank_entry_statement ON bank_entry (statement_id, position);
CREATE INDEX bank_entry_place ON bank_entry (account, booked_on) WHERE same_as IS NULL;
CREATE UNIQUE INDEX bank_entry_paired_once ON bank_entry (same_as);

CREATE TABLE bank_item (
    id             uuid PRIMARY KEY,
    entry_id       uuid NOT NULL REFERENCES bank_entry ON DELETE CASCADE,
    number         int NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric NOT NULL CHECK (amount >= 0),
    credit         boolean NOT NULL,
    reversal       boolean NOT NULL,
    booked_on      date NOT NULL,
    detailed       boolean NOT NULL,
    party          text NOT NULL,
    party_account  text NOT NULL,
    end_to_end_id  text NOT NULL,
    refs           text NOT NULL,
    text           text NOT NULL,
    charges        numeric,
    return_reason  text NOT NULL,
    state          text NOT NULL CHECK (state IN ('due', 'known', 'applied', 'waiting', 'settled')),
    UNIQUE (entry_id, number)
);
CREATE INDEX bank_item_due ON bank_item (id) WHERE state = 'due';
