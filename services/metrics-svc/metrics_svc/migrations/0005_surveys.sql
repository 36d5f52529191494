-- What a person answered on the scale of a survey: satisfaction 1-5, recommendation 0-10.
ALTER TABLE milestone ADD COLUMN score integer;
