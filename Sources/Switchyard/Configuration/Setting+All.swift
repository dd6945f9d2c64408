// SPDX-License-Identifier: Apache-2.0

/// Every environment variable that the program reads. `switchyard config` prints this list.
extension Setting {
    static let host = text("HOST", "127.0.0.1", "Address that the API listens on.")
    static let port = integer("PORT", 3001, in: 0...65535, "Port of the API; 0 takes a free one.")
    static let workerPort = integer(
        "WORKER_PORT", 0, in: 0...65535, "Port of `work` for /healthz, /readyz and /metrics; 0 is off.")
    static let databaseURL = text(
        "DATABASE_URL", "", "PostgreSQL 16 or later, direct: postgresql://user:password@host:port/name.", secret: true)
    static let poolSize = integer(
        "DATABASE_POOL_SIZE", 8, in: 2...500, "Connections for statements besides the dedicated ones.")
    static let data = text("SWITCHYARD_DATA", ".data", "Folder of keys that are made when none is given.")
    static let mode = word(
        "APP_MODE", "single", of: ["single", "multi"], "single: one user, no token needed. multi: accounts.")
    static let allowRemote = boolean(
        "SINGLE_USER_ALLOW_REMOTE", false, "Lets single-user mode listen on other addresses than loopback.")
    static let logLevel = word("LOG_LEVEL", "info", of: ["debug", "info", "warning", "error"], "Least severe line.")
    static let encryptionKey = text(
        "ENCRYPTION_KEY", "", "Seals provider keys: 64 hex digits, or longer text.", secret: true)
    static let jwtSecret = text("JWT_SECRET", "", "Signs access tokens: 64 hex digits, or longer text.", secret: true)
    static let metricsToken = text("METRICS_TOKEN", "", "Bearer token that /metrics asks for, when set.", secret: true)
    static let enableCORS = boolean("ENABLE_CORS", true, "Answers cross-origin requests of browsers.")
    static let corsOrigin = text("CORS_ORIGIN", "", "The one allowed origin; empty is any, without credentials.")
    static let trustProxy = boolean(
        "TRUST_PROXY", false, "Whether a proxy's X-Forwarded-For counts; or how many proxies there are.")
    static let slots = integer("WORKER_SLOTS", 64, in: 1...10_000, "Jobs that a worker runs at once.")
    static let shutdownGrace = milliseconds(
        "SHUTDOWN_GRACE_MS", 30_000, "Time for replies to end by themselves after SIGTERM.")
    static let publishInterval = milliseconds(
        "PUBLISH_INTERVAL_MS", 1, in: 0...1000,
        "Least time between two flushes of the token stream.")
    static let heartbeatInterval = milliseconds(
        "SSE_HEARTBEAT_INTERVAL_MS", 15_000, in: 100...3_600_000, "Time between `: ping` comments on event streams.")
    static let clientStall = milliseconds(
        "CLIENT_STALL_TIMEOUT_MS", 60_000, in: 100...3_600_000,
        "A client that takes nothing of what is there for it for so long is disconnected; it can re-attach.")
    static let eventRetention = integer(
        "EVENT_RETENTION_HOURS", 24, in: 1...8760, "How long a finished stream can be replayed token by token.")
    static let jobRetention = integer(
        "JOB_RETENTION_HOURS", 720, in: 1...87_600, "How long a job that has ended is kept, with its errors.")
    static let rateLimitDelay = milliseconds(
        "PROVIDER_429_DELAY_MS", 15_000, "Wait after a 429 without Retry-After.")
    static let retryDelay = milliseconds(
        "PROVIDER_5XX_DELAY_MS", 2_000, in: 1...86_400_000, "First wait after a provider's failure; doubles.")
    static let providerIdle = milliseconds(
        "PROVIDER_MAX_IDLE_MS", 60_000, in: 1...86_400_000, "Longest silence of a provider.")
    static let providerFirstToken = milliseconds(
        "PROVIDER_FIRST_TOKEN_MS", 0, "Longest wait for the first token; 0 takes PROVIDER_MAX_IDLE_MS.")
    static let providerTimeout = milliseconds(
        "PROVIDER_TIMEOUT_MS", 300_000, in: 1...86_400_000, "Longest time of one provider call.")
    static let allowPrivateProviders = boolean(
        "ALLOW_PRIVATE_PROVIDERS", false, "Lets personal models point at private addresses.")
    static let usageEmit = boolean("USAGE_EMIT", true, "Sends `usage` events.")
    static let usageProviderOnly = boolean(
        "USAGE_PROVIDER_ONLY", false, "Sends no estimate before the first token.")
    static let rateLimit = integer(
        "RATE_LIMIT_MAX", 600, in: 1...1_000_000, "Requests of a user within a window.")
    static let addressRateLimit = integer(
        "RATE_LIMIT_IP_MAX", 1200, in: 1...1_000_000, "Requests of an address within a window.")
    static let rateLimitWindow = milliseconds(
        "RATE_LIMIT_WINDOW_MS", 60_000, in: 1000...86_400_000, "Length of a window.")
    static let authenticationRateLimit = integer(
        "AUTH_RATE_LIMIT_MAX", 20, in: 1...1_000_000, "Log-ins and the like of an address and account a window.")
    static let openAIKey = text("OPENAI_API_KEY", "", "Makes OpenAI's models system models.", secret: true)
    static let openAIBaseURL = text("OPENAI_BASE_URL", "", "Another OpenAI-compatible server, with /v1.")
    static let openAIModels = text(
        "OPENAI_MODELS", "gpt-4o-mini,gpt-4o", "Model strings that appear as system models, separated by commas.")
    static let openAIMaximumConcurrent = integer(
        "OPENAI_MAX_CONCURRENT", 0, in: 0...1_000_000,
        "Calls at once to each of OPENAI_MODELS, of all workers together; 0 is no limit.")
    static let openAIRequestsPerMinute = integer(
        "OPENAI_REQUESTS_PER_MINUTE", 0, in: 0...1_000_000_000,
        "Calls within any minute to each of OPENAI_MODELS, of all workers together; 0 is no limit.")
    static let openAITokensPerMinute = integer(
        "OPENAI_TOKENS_PER_MINUTE", 0, in: 0...1_000_000_000,
        "Tokens within any minute of each of OPENAI_MODELS, of all workers together; 0 is no limit.")

    static let all: [Setting] = [
        host, port, workerPort, databaseURL, poolSize, data, mode, allowRemote, logLevel, encryptionKey, jwtSecret,
        metricsToken, enableCORS, corsOrigin, trustProxy, slots, shutdownGrace, publishInterval, heartbeatInterval,
        clientStall, eventRetention, jobRetention, rateLimitDelay, retryDelay, providerIdle, providerFirstToken,
        providerTimeout,
        allowPrivateProviders, usageEmit, usageProviderOnly, rateLimit, addressRateLimit, rateLimitWindow,
        authenticationRateLimit, openAIKey, openAIBaseURL, openAIModels,
        openAIMaximumConcurrent, openAIRequestsPerMinute, openAITokensPerMinute,
    ]
}
