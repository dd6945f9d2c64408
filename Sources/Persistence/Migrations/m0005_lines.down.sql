DROP TABLE paused_kinds;
