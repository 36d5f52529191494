-- What is sold. Who changed what is in change_log: entities `product`, `price_book`, `price`.
CREATE TABLE product (
    sku             text PRIMARY KEY,
    version         integer NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL,
    unit            text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('one_off', 'recurring', 'usage', 'bundle')),
    period          text CHECK (period IN ('month', 'quarter', 'year')),
    meter           text,
    taxes           jsonb NOT NULL,
    components      jsonb NOT NULL,
    pricing         text CHECK (pricing IN ('fixed', 'sum')),
    bundle_discount numeric NOT NULL CHECK (bundle_discount BETWEEN 0 AND 100),
    active          boolean NOT NULL,
    changed_at      timestamptz NOT NULL,
    CHECK ((kind = 'recurring') = (period IS NOT NULL)),
    CHECK ((kind = 'usage') = (meter IS NOT NULL)),
    CHECK ((kind = 'bundle') = (pricing IS NOT NULL))
);

CREATE TABLE price_book (
    code        text PRIMARY KEY,
    version     integer NOT NULL,
    name        text NOT NULL,
    currency    char(3) NOT NULL,
    countries   text[] NOT NULL,
    region      text,
    segment     text,
    priority    integer NOT NULL,
    valid_from  date NOT NULL,
    valid_until date CHECK (valid_until >= valid_from),
    active      boolean NOT NULL,
    changed_at  timestamptz NOT NULL
);
CREATE INDEX price_book_currency ON price_book (currency) WHERE active;

-- That no two prices of a product in a book overlap is checked under the book's lock.
CREATE TABLE price (
    id               uuid PRIMARY KEY,
    book             text NOT NULL REFERENCES price_book,
    sku              text NOT NULL REFERENCES product,
    version          integer NOT NULL,
    valid_from       date NOT NULL,
    valid_until      date CHECK (valid_until >= valid_from),
    model            text NOT NULL CHECK (model IN ('flat', 'volume', 'graduated')),
    tiers            jsonb NOT NULL,
    base_quantity    numeric NOT NULL CHECK (base_quantity > 0),
    minimum_quantity numeric,
    maximum_quantity numeric,
    unit_cost        numeric CHECK (unit_cost >= 0),
    changed_at       timestamptz NOT NULL,
    UNIQUE (book, sku, valid_from)
);
CREATE INDEX price_sku ON price (sku, valid_from);
