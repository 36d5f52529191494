-- A form that strangers fill in without a token. `draft` is what the next version will be; `version` counts changes of this row,
-- `published` is the version that is shown.
CREATE TABLE form (
    key        text PRIMARY KEY,
    name       text NOT NULL,
    active     boolean NOT NULL,
    version    integer NOT NULL,
    published  integer,
    draft      jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    retired_at timestamptz,
    CHECK (NOT active OR (published IS NOT NULL AND retired_at IS NULL))
);

-- What was shown, word by word. Never edited: it is the proof of what somebody agreed to.
CREATE TABLE form_version (
    form         text NOT NULL REFERENCES form,
    version      integer NOT NULL,
    body         jsonb NOT NULL,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (form, version)
);

-- Who did what with a form, and how it was then.
CREATE TABLE form_change (
    id      uuid PRIMARY KEY,
    form    text NOT NULL REFERENCES form,
    version integer NOT NULL,
    action  text NOT NULL CHECK (action IN ('created', 'changed', 'published', 'retired')),
    body    jsonb NOT NULL,
    by      text NOT NULL,
    at      timestamptz NOT NULL,
    UNIQUE (form, version)
);

-- That a form was filled in; what was said is with the lead. The id is that of the page that was sent, so it comes in once.
CREATE TABLE form_submission (
    id           uuid PRIMARY KEY,
    form         text NOT NULL REFERENCES form,
    version      integer NOT NULL,
    language     text NOT NULL,
    lead_id      uuid REFERENCES lead,
    outcome      text NOT NULL CHECK (outcome IN ('captured', 'merged', 'known', 'refused')),
    submitted_at timestamptz NOT NULL,
    FOREIGN KEY (form, version) REFERENCES form_version
);
CREATE INDEX form_submission_form ON form_submission (form, submitted_at, id);
CREATE INDEX form_submission_lead ON form_submission (lead_id) WHERE lead_id IS NOT NULL;

-- What happens on a form, per day of the business clock (UTC).
CREATE TABLE form_count (
    form text NOT NULL REFERENCES form,
    day  date NOT NULL,
    what text NOT NULL CHECK (what IN ('view', 'submission', 'honeypot', 'speed', 'rate', 'expired', 'invalid')),
    n    bigint NOT NULL,
    PRIMARY KEY (form, day, what)
);

-- Forms ask whether a privacy notice was read, too.
ALTER TABLE lead_consent DROP CONSTRAINT lead_consent_purpose_check;
ALTER TABLE lead_consent ADD CONSTRAINT lead_consent_purpose_check CHECK (purpose IN ('marketing', 'ad_sharing', 'privacy'));
