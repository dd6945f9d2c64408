// SPDX-License-Identifier: Apache-2.0

/// Every metadata key a log line can have. A closed list, so that a misspelt key does not compile, the
/// documentation can be checked against it, and whoever searches logs finds one word for one thing.
/// Keys whose value has a unit end with it.
package enum LogKey: String, Sendable, CaseIterable {
    // Identity of the work; usually set by `LogContext`, not by the call site.
    case requestID = "request.id"
    case traceID = "trace.id"
    case userID = "user.id"
    case jobID = "job.id"
    case jobAttempt = "job.attempt"

    case clientAddress = "client.address"
    case component = "component"
    case configurationKey = "configuration.key"

    case connectionCount = "connection.count"
    case connectionID = "connection.id"
    case connectionState = "connection.state"

    case databaseChannel = "database.channel"
    case databaseName = "database.name"
    case databaseSQLState = "database.sqlstate"
    case databaseStatement = "database.statement"
    case databaseVersion = "database.version"

    case count = "count"
    case delayMilliseconds = "delay.ms"
    case durationMilliseconds = "duration.ms"
    case limit = "limit"
    case sizeBytes = "size.bytes"

    case errorCode = "error.code"
    case errorDetail = "error.detail"
    case errorRetryable = "error.retryable"

    case fileID = "file.id"
    case filePath = "file.path"
    case filePages = "file.pages"
    case filePassages = "file.passages"

    case httpMethod = "http.method"
    case httpRoute = "http.route"
    case httpStatus = "http.status"

    case jobFence = "job.fence"
    case jobKind = "job.kind"
    case jobLane = "job.lane"
    case jobLease = "job.lease"
    case jobState = "job.state"

    case listenAddress = "listen.address"
    case listenPort = "listen.port"
    case logDroppedLines = "log.dropped_lines"

    case messageID = "message.id"
    case migrationName = "migration.name"
    case migrationNumber = "migration.number"
    case modelID = "model.id"
    case modelName = "model.name"

    case processID = "process.id"
    case processRole = "process.role"
    case processVersion = "process.version"
    case processExitCode = "process.exit_code"

    case providerName = "provider.name"
    case providerRequestID = "provider.request_id"
    case providerStatus = "provider.status"

    case queueDepth = "queue.depth"
    case queueOldestMilliseconds = "queue.oldest.ms"
    case reason = "reason"
    case retryAttempt = "retry.attempt"

    case serviceName = "service.name"
    case sessionID = "session.id"
    case settingName = "setting.name"
    case shutdownPhase = "shutdown.phase"
    case signalName = "signal.name"

    case streamCount = "stream.count"
    case streamCursor = "stream.cursor"
    case tenantID = "tenant.id"
    case tokensCompletion = "tokens.completion"
    case tokensPrompt = "tokens.prompt"

    case workerID = "worker.id"
    case workerSlots = "worker.slots"
}
