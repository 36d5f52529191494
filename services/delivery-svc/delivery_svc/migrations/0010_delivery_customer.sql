-- Lists of people to be asked are looked up by address or by customer, up to ten thousand at once.
CREATE INDEX delivery_customer_email ON delivery (lower(customer_email), id) WHERE customer_email IS NOT NULL;
CREATE INDEX delivery_customer ON delivery (customer_id, id);
