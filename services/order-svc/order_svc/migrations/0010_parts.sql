-- Pieces leave the shelf part by part, with each hand-over.

-- Append-only: what of a reservation left with a hand-over. The reservation holds what is still on the shelf.
CREATE TABLE reservation_part (
    handover_id uuid NOT NULL,
    order_id    uuid NOT NULL REFERENCES sales_order,
    line_id     uuid NOT NULL,
    sku         text NOT NULL,
    site        text NOT NULL,
    quantity    numeric NOT NULL CHECK (quantity > 0),
    ended_at    timestamptz NOT NULL,
    PRIMARY KEY (handover_id, line_id, site)
);
CREATE INDEX reservation_part_left ON reservation_part (sku, site, ended_at);
CREATE INDEX reservation_part_order ON reservation_part (order_id);
