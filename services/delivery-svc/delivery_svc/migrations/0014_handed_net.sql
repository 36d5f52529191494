-- What all that went was worth, each part as it went, and how many changes of the order were granted: the completion tells both.
ALTER TABLE delivery ADD COLUMN changes integer NOT NULL DEFAULT 0 CHECK (changes >= 0);
ALTER TABLE delivery_line ADD COLUMN handed_net numeric NOT NULL DEFAULT 0;

UPDATE delivery_line l SET handed_net = h.net
FROM (SELECT h.delivery_id, p.line_id, sum(p.net_amount) AS net FROM handover h JOIN handover_line p ON p.handover_id = h.id
      GROUP BY h.delivery_id, p.line_id) AS h
WHERE h.delivery_id = l.delivery_id AND h.line_id = l.line_id;
UPDATE delivery d SET changes = c.granted
FROM (SELECT delivery_id, count(*) AS granted FROM delivery_change WHERE granted GROUP BY delivery_id) AS c
WHERE c.delivery_id = d.id;
