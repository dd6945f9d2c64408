DROP TABLE idempotency_keys, system_settings, usage, messages, sessions, models, refresh_tokens, users;
