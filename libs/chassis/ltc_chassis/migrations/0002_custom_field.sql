-- Fields that a company adds to the records of this service. A type never changes and a field is archived, not deleted:
-- values that were kept stay readable.
CREATE TABLE custom_field (
    entity     text NOT NULL,
    key        text NOT NULL,
    label      text NOT NULL,
    type       text NOT NULL,
    required   boolean NOT NULL,
    choices    text[] NOT NULL,
    max_length integer,
    minimum    numeric,
    maximum    numeric,
    personal   boolean NOT NULL,
    archived   boolean NOT NULL,
    position   integer NOT NULL,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (entity, key)
);

-- Who changed what and when; written with the change, never edited.
CREATE TABLE custom_field_change (
    id         uuid PRIMARY KEY,
    entity     text NOT NULL,
    key        text NOT NULL,
    version    integer NOT NULL,
    action     text NOT NULL CHECK (action IN ('created', 'changed', 'archived', 'restored')),
    before     jsonb,
    after      jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (entity, key, version),
    FOREIGN KEY (entity, key) REFERENCES custom_field
);
