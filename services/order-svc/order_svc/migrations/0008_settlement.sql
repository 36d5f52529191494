-- An order is closed when everything that was handed over is invoiced and paid: by hand-overs and invoices, not by the first that is paid.
ALTER TABLE sales_order
    ADD COLUMN handed_net_amount numeric NOT NULL DEFAULT 0,
    ADD COLUMN handovers         integer NOT NULL DEFAULT 0 CHECK (handovers >= 0),
    ADD COLUMN handovers_told    integer CHECK (handovers_told >= 0),
    ADD COLUMN unpaid            integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN sales_order.unpaid IS 'invoices told less invoices told to be paid; below zero while the former are on their way';

UPDATE sales_order o SET unpaid = (SELECT count(DISTINCT e.invoice_id) FROM receivable_entry e JOIN receivable r USING (invoice_id)
                                   WHERE r.order_id = o.id AND e.kind = 'issued')
                                - (SELECT count(*) FROM paid_invoice p WHERE p.order_id = o.id);
