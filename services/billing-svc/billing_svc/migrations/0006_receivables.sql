-- Statements and ageing are read by customer.
CREATE INDEX invoice_customer ON invoice ((customer->>'customer_id'));
CREATE INDEX invoice_paid_on ON invoice (settled_on) WHERE paid > 0;
