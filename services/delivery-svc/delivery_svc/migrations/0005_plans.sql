-- What is delivered when: quantities per line, the steps that lead there, and what was handed over.

ALTER TABLE delivery
    ADD COLUMN invoicing            text NOT NULL DEFAULT 'on_delivery' CHECK (invoicing IN ('on_delivery', 'on_confirmation')),
    ADD COLUMN ship_complete        boolean NOT NULL DEFAULT false,
    ADD COLUMN period_from          date,
    ADD COLUMN period_until         date,
    ADD COLUMN handovers            integer NOT NULL DEFAULT 0 CHECK (handovers >= 0),
    ADD COLUMN last_handed_over_at  timestamptz,
    ADD CHECK ((last_handed_over_at IS NULL) = (handovers = 0));

-- `quantity` is what is wanted now. `handed_over` counts all that ever went, `returned` all that came back, `replaced` what of that is
-- delivered again. A `closed` line is short within its allowance and gets nothing more; a `dropped` one is not wanted any more.
ALTER TABLE delivery_line
    ADD COLUMN handed_over   numeric NOT NULL DEFAULT 0 CHECK (handed_over >= 0),
    ADD COLUMN returned      numeric NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND handed_over),
    ADD COLUMN replaced      numeric NOT NULL DEFAULT 0 CHECK (replaced BETWEEN 0 AND returned),
    ADD COLUMN closed        boolean NOT NULL DEFAULT false,
    ADD COLUMN dropped       boolean NOT NULL DEFAULT false,
    ADD COLUMN over_percent  numeric NOT NULL DEFAULT 0 CHECK (over_percent BETWEEN 0 AND 100),
    ADD COLUMN under_percent numeric NOT NULL DEFAULT 0 CHECK (under_percent BETWEEN 0 AND 100),
    ADD COLUMN charge_over   boolean NOT NULL DEFAULT false,
    ADD COLUMN rule          text,
    ADD COLUMN rule_version  integer,
    ADD UNIQUE (delivery_id, line_id);

-- `hands_over`: with this step the customer gets something; the others are work that comes before it.
CREATE TABLE delivery_step (
    id          uuid PRIMARY KEY,
    delivery_id uuid NOT NULL,
    line_id     uuid NOT NULL,
    position    integer NOT NULL CHECK (position >= 1),
    kind        text NOT NULL CHECK (kind IN ('shipment', 'installation', 'milestone', 'production', 'period')),
    name        text,
    hands_over  boolean NOT NULL,
    quantity    numeric NOT NULL CHECK (quantity >= 0),
    done        numeric NOT NULL DEFAULT 0 CHECK (done >= 0),
    state       text NOT NULL CHECK (state IN ('planned', 'in_progress', 'done', 'cancelled')),
    planned_on  date NOT NULL,
    FOREIGN KEY (delivery_id, line_id) REFERENCES delivery_line (delivery_id, line_id),
    UNIQUE (delivery_id, line_id, position)
);

-- Append-only. The number counts the hand-overs of a delivery.
CREATE TABLE handover (
    id             uuid PRIMARY KEY,
    delivery_id    uuid NOT NULL REFERENCES delivery,
    number         integer NOT NULL CHECK (number >= 1),
    handed_over_at timestamptz NOT NULL,
    net_amount     numeric NOT NULL,
    currency       char(3) NOT NULL,
    last           boolean NOT NULL,
    note           text,
    recorded_by    text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    UNIQUE (delivery_id, number)
);
CREATE TABLE handover_line (
    handover_id      uuid NOT NULL REFERENCES handover,
    line_id          uuid NOT NULL,
    quantity         numeric NOT NULL CHECK (quantity > 0),
    delivered_before numeric NOT NULL CHECK (delivered_before >= 0),
    net_amount       numeric NOT NULL,
    final            boolean NOT NULL,
    PRIMARY KEY (handover_id, line_id)
);

-- What there is already: one shipment per line, and one hand-over of each delivery that is complete.
UPDATE delivery SET handovers = 1, last_handed_over_at = completed_at WHERE state = 'completed';
UPDATE delivery_line l SET handed_over = l.quantity FROM delivery d WHERE d.id = l.delivery_id AND d.state = 'completed';
INSERT INTO delivery_step (id, delivery_id, line_id, position, kind, hands_over, quantity, done, state, planned_on)
SELECT gen_random_uuid(), d.id, l.line_id, 1, 'shipment', true, l.quantity, l.handed_over,
       CASE d.state WHEN 'completed' THEN 'done' WHEN 'cancelled' THEN 'cancelled' ELSE 'planned' END, d.promised_on
FROM delivery d JOIN delivery_line l ON l.delivery_id = d.id;
INSERT INTO handover (id, delivery_id, number, handed_over_at, net_amount, currency, last, recorded_by, recorded_at)
SELECT gen_random_uuid(), d.id, 1, d.completed_at, d.net_amount, d.currency, true, 'migration', d.updated_at
FROM delivery d WHERE d.state = 'completed';
INSERT INTO handover_line (handover_id, line_id, quantity, delivered_before, net_amount, final)
SELECT h.id, l.line_id, l.quantity, 0, l.net_amount, false FROM handover h JOIN delivery_line l ON l.delivery_id = h.delivery_id;
