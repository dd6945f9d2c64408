-- People, their conversations, the models they talk to, and what it cost.

CREATE TABLE users (
    id            uuid        PRIMARY KEY,
    username      text        NOT NULL,
    email         text,
    password_hash text        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('ADMIN', 'USER')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE email IS NOT NULL;

-- Only the hash of a refresh token is kept. A family is one login; the reuse of a used token revokes it.
CREATE TABLE refresh_tokens (
    hash       bytea       PRIMARY KEY,
    family     uuid        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- Provider configurations; without an owner they are the system's.
CREATE TABLE models (
    id                 uuid        PRIMARY KEY,
    user_id            uuid        REFERENCES users (id) ON DELETE CASCADE,
    name               text        NOT NULL,
    provider           text        NOT NULL,
    api_url            text        NOT NULL,
    model              text        NOT NULL,
    sealed_api_key     bytea,
    supports_images    boolean     NOT NULL,
    context_limit      integer     NOT NULL,
    max_output_tokens  integer,
    defaults           text        NOT NULL,
    input_per_million  double precision,
    output_per_million double precision,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (user_id, name)
);

CREATE TABLE sessions (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title         text        NOT NULL,
    title_source  text        NOT NULL CHECK (title_source IN ('default', 'generated', 'user')),
    model_id      uuid,
    instructions  text,
    leaf_id       uuid,
    message_count integer     NOT NULL DEFAULT 0,
    archived      boolean     NOT NULL DEFAULT false,
    tags          text[]      NOT NULL DEFAULT '{}',
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX sessions_user_updated ON sessions (user_id, updated_at DESC, id DESC);
CREATE INDEX sessions_model ON sessions (model_id) WHERE model_id IS NOT NULL;

CREATE TABLE messages (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL,
    session_id    uuid        NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parent_id     uuid,
    role          text        NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
    content       text        NOT NULL,
    parts         text,
    status        text        NOT NULL CHECK (status IN ('queued', 'streaming', 'complete', 'incomplete', 'failed')),
    finish_reason text,
    error_code    text,
    error_message text,
    usage         text,
    model         text,
    provider      text,
    job_id        uuid,
    created_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX messages_session_parent ON messages (session_id, parent_id, id);
CREATE INDEX messages_job ON messages (job_id) WHERE job_id IS NOT NULL;

-- One row a provider call. Opened with an estimate before the call; a late truth replaces an estimate.
CREATE TABLE usage (
    job               uuid        NOT NULL,
    lease             bigint      NOT NULL,
    call              smallint    NOT NULL,
    user_id           uuid        NOT NULL,
    session_id        uuid,
    message_id        uuid,
    model             text        NOT NULL,
    provider          text        NOT NULL,
    prompt_tokens     integer     NOT NULL,
    completion_tokens integer     NOT NULL DEFAULT 0,
    context_limit     integer     NOT NULL,
    estimated         boolean     NOT NULL DEFAULT true,
    closed            boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, lease, call)
);
CREATE INDEX usage_session ON usage (session_id, created_at) WHERE session_id IS NOT NULL;
CREATE INDEX usage_user_created ON usage (user_id, created_at);

CREATE TABLE system_settings (
    singleton  boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    value      text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What an idempotency key stood for: the hash of the request's bytes and the ids that it made.
CREATE TABLE idempotency_keys (
    user_id    uuid        NOT NULL,
    route      text        NOT NULL,
    key        text        NOT NULL,
    body_hash  bytea       NOT NULL,
    job        uuid,
    outcome    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, route, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
