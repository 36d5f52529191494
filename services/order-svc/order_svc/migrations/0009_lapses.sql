-- Orders of subscriptions that were cancelled: what they charged is not charged.

ALTER TABLE subscription_order
    -- In the order in which they were placed: written under the subscription's lock.
    ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY,
    -- Nothing is served for it any more; its cost lies in the credit.
    ADD COLUMN spent boolean NOT NULL DEFAULT false,
    ADD COLUMN lapsed_at timestamptz;

-- Work for the timer. Who cancels an order holds its lock and must not wait for the subscription's: hence no foreign key, which would.
CREATE TABLE subscription_lapse (
    order_id        uuid PRIMARY KEY,
    subscription_id uuid NOT NULL
);
