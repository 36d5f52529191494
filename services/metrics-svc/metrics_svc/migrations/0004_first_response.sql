-- How long a first response took, in minutes of business hours.
ALTER TABLE milestone ADD COLUMN minutes integer;
