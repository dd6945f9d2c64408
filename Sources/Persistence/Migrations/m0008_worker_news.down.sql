ALTER TABLE workers DROP COLUMN recent, DROP COLUMN beat_at;
