-- A fact with words may come before its order: an erasure finds it by its flow. Facts without words do not carry it.
ALTER TABLE order_fact ADD COLUMN flow_id uuid;
CREATE INDEX order_fact_words ON order_fact (flow_id) WHERE flow_id IS NOT NULL;
