CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- An account that was merged stays as a tombstone: `merged_into` always names a live account, never another tombstone.
ALTER TABLE account
    DROP CONSTRAINT account_name_key_country_key,
    ALTER COLUMN country DROP NOT NULL,
    ADD COLUMN website     text,
    ADD COLUMN domain      text,
    ADD COLUMN vat_id      text,
    ADD COLUMN industry    text,
    ADD COLUMN segment     text,
    ADD COLUMN region      text,
    ADD COLUMN size        integer CHECK (size >= 0),
    ADD COLUMN owner       text,
    ADD COLUMN parent_id   uuid REFERENCES account CHECK (parent_id <> id),
    ADD COLUMN merged_into uuid REFERENCES account CHECK (merged_into <> id),
    ADD COLUMN custom      jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version     integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at  timestamptz;
UPDATE account SET updated_at = created_at;
ALTER TABLE account ALTER COLUMN updated_at SET NOT NULL;
CREATE INDEX account_parent ON account (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX account_domain ON account (domain) WHERE merged_into IS NULL;
CREATE INDEX account_merged ON account (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX account_owner ON account (owner, id);
CREATE INDEX account_name ON account (name_key);
CREATE INDEX account_like ON account USING gin (name_key gin_trgm_ops);

-- What makes two mentions one company: kind 'name' is '<country>|<name key>', kind 'vat' the VAT id. Those of a merged account
-- point to the one it was merged into, so that its old name still leads to the right place.
CREATE TABLE account_identity (
    kind       text NOT NULL CHECK (kind IN ('name', 'vat')),
    value      text NOT NULL,
    account_id uuid NOT NULL REFERENCES account DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (kind, value)
);
CREATE INDEX account_identity_account ON account_identity (account_id);
INSERT INTO account_identity (kind, value, account_id) SELECT 'name', country || '|' || name_key, id FROM account;

CREATE TABLE account_member (
    account_id uuid NOT NULL REFERENCES account,
    member     text NOT NULL,
    role       text NOT NULL,
    PRIMARY KEY (account_id, member)
);
CREATE INDEX account_member_member ON account_member (member);

-- Persons. A person without a company has no account.
CREATE TABLE contact (
    id         uuid PRIMARY KEY,
    account_id uuid REFERENCES account,
    name       text NOT NULL,
    email      text,
    email_key  text,
    phone      text,
    role       text,
    is_primary boolean NOT NULL DEFAULT false,
    erased_at  timestamptz,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (erased_at IS NULL OR (email IS NULL AND phone IS NULL AND NOT is_primary))
);
CREATE UNIQUE INDEX contact_primary ON contact (account_id) WHERE is_primary;
CREATE UNIQUE INDEX contact_email ON contact (account_id, email_key);
CREATE INDEX contact_account ON contact (account_id, id);
CREATE INDEX contact_like ON contact USING gin (lower(name) gin_trgm_ops);

ALTER TABLE opportunity ADD COLUMN account_id uuid REFERENCES account, ADD COLUMN contact_id uuid REFERENCES contact;
UPDATE opportunity o SET account_id = a.id FROM account a
WHERE a.country = o.country AND a.name_key = regexp_replace(btrim(lower(replace(o.company, '.', ''))), '\s+', ' ', 'g');
CREATE INDEX opportunity_account ON opportunity (account_id, id);
CREATE INDEX opportunity_contact ON opportunity (contact_id);

-- Who changed what. Values of personal data are not kept here, only that they changed.
CREATE TABLE change_log (
    id        uuid PRIMARY KEY,
    entity    text NOT NULL,
    entity_id text NOT NULL,
    version   integer NOT NULL,
    by        text NOT NULL,
    at        timestamptz NOT NULL,
    changes   jsonb NOT NULL
);
CREATE INDEX change_log_entity ON change_log (entity, entity_id, id);
