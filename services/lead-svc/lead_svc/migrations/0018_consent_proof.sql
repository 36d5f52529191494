-- What a person may agree to, and which version of the words was shown.
ALTER TABLE lead_consent DROP CONSTRAINT lead_consent_purpose_check;
ALTER TABLE lead_consent ADD CONSTRAINT lead_consent_purpose_check CHECK (purpose IN ('marketing', 'ad_sharing'));
ALTER TABLE lead_consent ADD COLUMN wording_version text;
