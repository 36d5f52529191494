-- The ways by which people come, and what each campaign cost per day. Both are configuration of marketing, kept with who changed them.
CREATE TABLE channel (
    code       text PRIMARY KEY,
    label      text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('content', 'social', 'search', 'search_ads', 'display', 'partner', 'event', 'referral',
                                             'email', 'direct', 'other')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO channel VALUES
    ('content', 'Content', 'content', 'migration', now()), ('social', 'Social media', 'social', 'migration', now()),
    ('organic_search', 'Organic search', 'search', 'migration', now()), ('search_ads', 'Search ads', 'search_ads', 'migration', now()),
    ('display', 'Display ads', 'display', 'migration', now()), ('partner', 'Partners', 'partner', 'migration', now()),
    ('event', 'Events', 'event', 'migration', now()), ('referral', 'Referral', 'referral', 'migration', now()),
    ('email', 'E-mail', 'email', 'migration', now()), ('direct', 'Direct', 'direct', 'migration', now());

CREATE TABLE campaign (
    id         uuid PRIMARY KEY,
    code       text NOT NULL UNIQUE,
    name       text NOT NULL,
    channel    text NOT NULL REFERENCES channel,
    starts_on  date,
    ends_on    date,
    budget     numeric CHECK (budget >= 0),
    currency   char(3),
    version    integer NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((budget IS NULL) = (currency IS NULL)),
    CHECK (ends_on >= starts_on)
);

-- What one source says a campaign cost on a day. A correction replaces it; `revision` counts, and every one was an event.
CREATE TABLE campaign_spend (
    campaign_id uuid NOT NULL REFERENCES campaign,
    day         date NOT NULL,
    source      text NOT NULL,
    amount      numeric NOT NULL CHECK (amount >= 0),
    currency    char(3) NOT NULL,
    clicks      bigint CHECK (clicks >= 0),
    impressions bigint CHECK (impressions >= 0),
    revision    integer NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, day, source)
);
CREATE INDEX campaign_spend_day ON campaign_spend (day);
CREATE INDEX lead_campaign ON lead (campaign, created_at) WHERE campaign IS NOT NULL;
