-- A customer who was offered in Chinese gets the contract in Chinese as well, wherever they are.
INSERT INTO contract_template (id, code, version, name, language, automatic, priority, condition, clauses, months, auto_renew,
                               renewal_months, notice_days, countersign, sign_within_days, valid_from, created_by, created_at)
SELECT gen_random_uuid(), code, 2, name, language, automatic, priority,
       '{"any": [{"field": "country", "is": "eq", "value": "CN"}, {"field": "language", "is": "eq", "value": "zh"}]}',
       clauses, months, auto_renew, renewal_months, notice_days, countersign, sign_within_days, '2000-01-02T00:00:00Z', 'migration', now()
FROM contract_template WHERE code = 'standard-zh' AND version = 1;
