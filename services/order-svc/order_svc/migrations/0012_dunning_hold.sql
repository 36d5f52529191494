-- Invoices about which billing asked that further orders of their customer wait. Steps and ends travel on two topics: the later version counts.
CREATE TABLE dunning_hold (
    invoice_id   uuid PRIMARY KEY,
    customer_id  uuid NOT NULL,
    number       text NOT NULL,
    held         boolean NOT NULL,
    told_version int NOT NULL
);
CREATE INDEX dunning_hold_customer ON dunning_hold (customer_id) WHERE held;
