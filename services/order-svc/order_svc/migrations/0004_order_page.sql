-- What the suite told of an order beside what the order itself is: facts as they came, whichever came first. The page of an order is
-- a view of them. `about` is the order; of quotes the quote, of the contract the contract, since both are there before the order, and
-- of what happens to a ticket later on the ticket. `nth` counts where one thing is told of several times.
CREATE TABLE order_fact (
    about       uuid NOT NULL,
    topic       text NOT NULL,
    fact_id     uuid NOT NULL,
    nth         integer NOT NULL,
    occurred_at timestamptz NOT NULL,
    data        jsonb NOT NULL,
    PRIMARY KEY (about, topic, fact_id, nth)
);
