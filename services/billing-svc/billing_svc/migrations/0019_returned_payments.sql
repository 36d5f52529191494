-- What a bank takes back names the payment by the payer's end-to-end id.
CREATE INDEX payment_origin_end_to_end ON payment_origin (end_to_end_id) WHERE end_to_end_id <> '';
