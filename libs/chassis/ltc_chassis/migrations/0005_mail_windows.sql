-- When a mail may leave (business time), such as a person's office hours; null is at any time. Once the last window has closed it
-- does not leave any more.
ALTER TABLE mail ADD COLUMN windows tstzmultirange;
CREATE INDEX mail_closing ON mail (upper(windows)) WHERE state = 'waiting' AND windows IS NOT NULL;
