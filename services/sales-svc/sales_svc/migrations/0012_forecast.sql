-- How a deal stood from which moment on, so that a snapshot of a past day can be taken late. Kept by the database, so that no
-- path forgets it. Times are those of the business.
CREATE TABLE opportunity_state (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    opportunity_id    uuid NOT NULL REFERENCES opportunity,
    valid_from        timestamptz NOT NULL,
    stage             text NOT NULL,
    pipeline          text NOT NULL,
    pipeline_version  integer NOT NULL,
    probability       integer NOT NULL,
    amount            numeric,
    currency          char(3),
    owner             text,
    team              text,
    category          text,
    expected_close_on date
);
CREATE INDEX opportunity_state_as_of ON opportunity_state (opportunity_id, valid_from DESC, id DESC);
INSERT INTO opportunity_state (opportunity_id, valid_from, stage, pipeline, pipeline_version, probability, amount, currency, owner,
                               team, category, expected_close_on)
SELECT id, coalesce(closed_at, opened_at), stage, pipeline, pipeline_version, probability, amount,
       currency, owner, team, category, expected_close_on
FROM opportunity ORDER BY id;

CREATE FUNCTION keep_opportunity_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opportunity_state (opportunity_id, valid_from, stage, pipeline, pipeline_version, probability, amount, currency,
                                   owner, team, category, expected_close_on)
    VALUES (NEW.id, CASE WHEN TG_OP = 'INSERT' THEN coalesce(NEW.closed_at, NEW.opened_at) WHEN NEW.stage <> OLD.stage THEN NEW.stage_since ELSE NEW.updated_at END,
            NEW.stage, NEW.pipeline, NEW.pipeline_version, NEW.probability, NEW.amount, NEW.currency, NEW.owner, NEW.team,
            NEW.category, NEW.expected_close_on);
    RETURN NULL;
END $$;
CREATE TRIGGER opportunity_opened AFTER INSERT ON opportunity FOR EACH ROW EXECUTE FUNCTION keep_opportunity_state();
CREATE TRIGGER opportunity_changed AFTER UPDATE ON opportunity FOR EACH ROW
    WHEN ((OLD.stage, OLD.pipeline, OLD.pipeline_version, OLD.probability, OLD.amount, OLD.currency, OLD.owner, OLD.team,
           OLD.category, OLD.expected_close_on)
          IS DISTINCT FROM
          (NEW.stage, NEW.pipeline, NEW.pipeline_version, NEW.probability, NEW.amount, NEW.currency, NEW.owner, NEW.team,
           NEW.category, NEW.expected_close_on))
    EXECUTE FUNCTION keep_opportunity_state();

-- The forecast category of every stage of every version, unless the deal says otherwise.
CREATE VIEW stage_category AS
SELECT v.pipeline, v.version, s ->> 'code' AS stage, coalesce(s ->> 'category', 'pipeline') AS category
FROM pipeline_version v CROSS JOIN LATERAL jsonb_array_elements(v.stages) AS s;

-- One snapshot per day: how every open deal stood at its end (UTC), and those that were closed since the one before. Append-only.
CREATE TABLE snapshot (
    day      date PRIMARY KEY,
    taken_at timestamptz NOT NULL
);
CREATE TABLE snapshot_deal (
    day               date NOT NULL REFERENCES snapshot,
    opportunity_id    uuid NOT NULL REFERENCES opportunity,
    stage             text NOT NULL,
    pipeline          text NOT NULL,
    probability       integer NOT NULL,
    amount            numeric,
    currency          char(3),
    owner             text,
    team              text,
    category          text NOT NULL,
    expected_close_on date,
    PRIMARY KEY (day, opportunity_id)
);
CREATE TRIGGER snapshot_kept BEFORE UPDATE OR DELETE ON snapshot FOR EACH ROW EXECUTE FUNCTION kept_as_written();
CREATE TRIGGER snapshot_deal_kept BEFORE UPDATE OR DELETE ON snapshot_deal FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- What a person says that a period will bring, instead of what is computed. The latest counts; none (no amount) takes it back.
CREATE TABLE forecast_call (
    id         uuid PRIMARY KEY,
    period     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('rep', 'team')),
    name       text NOT NULL,
    category   text NOT NULL CHECK (category IN ('pipeline', 'best_case', 'commit')),
    currency   char(3) NOT NULL,
    amount     numeric CHECK (amount >= 0),
    note       text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX forecast_call_latest ON forecast_call (period, kind, name, category, currency, id DESC);
CREATE TRIGGER forecast_call_kept BEFORE UPDATE OR DELETE ON forecast_call FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- What a rep or a team should win in a period. The highest version counts.
CREATE TABLE quota (
    id         uuid PRIMARY KEY,
    period     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('rep', 'team')),
    name       text NOT NULL,
    currency   char(3) NOT NULL,
    amount     numeric NOT NULL CHECK (amount >= 0),
    version    integer NOT NULL CHECK (version >= 1),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (period, kind, name, currency, version)
);
CREATE TRIGGER quota_kept BEFORE UPDATE OR DELETE ON quota FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- Why deals are won and lost, and against whom: lists of the company.
CREATE TABLE outcome_reason (
    outcome  text NOT NULL CHECK (outcome IN ('won', 'lost')),
    code     text NOT NULL,
    label    text NOT NULL,
    position integer NOT NULL,
    active   boolean NOT NULL DEFAULT true,
    version  integer NOT NULL,
    PRIMARY KEY (outcome, code)
);
INSERT INTO outcome_reason (outcome, code, label, position, version) VALUES
    ('lost', 'price', 'Price', 1, 1), ('lost', 'competitor', 'Chose a competitor', 2, 1), ('lost', 'no_budget', 'No budget', 3, 1),
    ('lost', 'not_now', 'Not now', 4, 1), ('lost', 'no_decision', 'No decision', 5, 1), ('lost', 'fit', 'Product does not fit', 6, 1),
    ('lost', 'no_answer', 'Does not answer', 7, 1), ('won', 'price', 'Price', 1, 1), ('won', 'fit', 'Product fits', 2, 1),
    ('won', 'service', 'Service', 3, 1), ('won', 'relationship', 'Relationship', 4, 1);
CREATE TABLE competitor (
    id       uuid PRIMARY KEY,
    name     text NOT NULL,
    name_key text NOT NULL UNIQUE,
    active   boolean NOT NULL DEFAULT true,
    version  integer NOT NULL
);
UPDATE opportunity o SET reason_code = r.code FROM outcome_reason r
WHERE o.stage = 'lost' AND r.outcome = 'lost' AND lower(btrim(o.lost_reason)) IN (r.code, lower(r.label));
CREATE INDEX stage_change_opportunity_stage ON stage_change (opportunity_id, from_stage);

-- What became of each deal between two snapshots, as those see it who look at one owner, team or pipeline: `joined` and `left` are
-- deals that came to them from others or went to others. A deal that moved and changed its value has two rows.
CREATE FUNCTION snapshot_movements(begin_day date, end_day date, wanted_owner text, wanted_team text, wanted_pipeline text)
RETURNS TABLE (opportunity_id uuid, kind text, before_stage text, after_stage text, before_amount numeric, before_currency text,
               after_amount numeric, after_currency text, before_probability integer, after_probability integer, owner text)
LANGUAGE sql STABLE AS $$
    WITH open_before AS (
             SELECT *, (wanted_owner IS NULL OR d.owner = wanted_owner) AND (wanted_team IS NULL OR d.team = wanted_team)
                       AND (wanted_pipeline IS NULL OR d.pipeline = wanted_pipeline) AS ours
             FROM snapshot_deal d WHERE day = begin_day AND stage NOT IN ('won', 'lost')
         ), since AS (
             SELECT DISTINCT ON (d.opportunity_id) d.*,
                    (wanted_owner IS NULL OR d.owner = wanted_owner) AND (wanted_team IS NULL OR d.team = wanted_team)
                    AND (wanted_pipeline IS NULL OR d.pipeline = wanted_pipeline) AS ours
             FROM snapshot_deal d
             WHERE (day = end_day AND stage NOT IN ('won', 'lost'))
                OR (day > begin_day AND day <= end_day AND stage IN ('won', 'lost'))
             ORDER BY d.opportunity_id, d.day DESC
         ), pair AS (
             SELECT coalesce(z.opportunity_id, a.opportunity_id) AS id, coalesce(a.ours, false) AS had, coalesce(z.ours, false) AS has,
                    a.opportunity_id IS NOT NULL AS known, coalesce(z.stage IN ('won', 'lost'), false) AS closed,
                    a.stage AS s0, z.stage AS s1, a.amount AS a0, a.currency::text AS c0, z.amount AS a1, z.currency::text AS c1,
                    a.probability AS p0, z.probability AS p1, coalesce(z.owner, a.owner) AS rep
             FROM open_before a FULL JOIN since z ON z.opportunity_id = a.opportunity_id
             WHERE coalesce(a.ours, false) OR coalesce(z.ours, false)
         )
    SELECT id, s1, CASE WHEN had THEN s0 END, s1, CASE WHEN had THEN a0 END, CASE WHEN had THEN c0 END, a1, c1, p0, p1, rep
    FROM pair WHERE has AND closed
    UNION ALL
    SELECT id, CASE WHEN known THEN 'joined' ELSE 'new' END, NULL, s1, NULL, NULL, a1, c1, NULL, p1, rep
    FROM pair WHERE has AND NOT had AND NOT closed
    UNION ALL
    SELECT id, 'left', s0, NULL, a0, c0, NULL, NULL, p0, NULL, rep FROM pair WHERE had AND NOT has
    UNION ALL
    SELECT id, 'moved', s0, s1, a0, c0, a1, c1, p0, p1, rep FROM pair WHERE had AND has AND NOT closed AND s0 <> s1
    UNION ALL
    SELECT id, 'value_changed', s0, s1, a0, c0, a1, c1, p0, p1, rep
    FROM pair WHERE had AND has AND NOT closed AND (a0, c0) IS DISTINCT FROM (a1, c1)
$$;
