// SPDX-License-Identifier: Apache-2.0

/// Writes structured lines: a message that never changes, and what varies as metadata, so that lines can be
/// counted by message and no text of a person slips into one.
///
/// A value, cheap to copy; passed to whatever logs by an init parameter `logger`.
/// Cost: a line below the level costs one comparison, its fields are not evaluated. Otherwise the line
/// is built on the calling thread and queued under a short lock; never I/O there.
package struct Logger: Sendable {
    /// Drops everything; the default for tests that do not look at lines.
    package static let discard = Logger(level: .error, sink: nil, fields: [], now: WallTime.now)

    /// Lines below it are not built.
    package let level: LogLevel
    private let sink: (any LogSink)?
    private let fields: [(key: LogKey, value: LogValue)]
    private let now: @Sendable () -> WallTime

    /// A logger that writes lines of `level` and above to `sink`; `now` is replaced in tests.
    package init(level: LogLevel, sink: any LogSink, now: @escaping @Sendable () -> WallTime = WallTime.now) {
        self.init(level: level, sink: sink, fields: [], now: now)
    }

    private init(
        level: LogLevel, sink: (any LogSink)?, fields: [(key: LogKey, value: LogValue)],
        now: @escaping @Sendable () -> WallTime
    ) {
        self.level = level
        self.sink = sink
        self.fields = fields
        self.now = now
    }

    /// A logger that puts these fields on each of its lines, for a component or a connection.
    package func adding(_ fields: KeyValuePairs<LogKey, LogValue>) -> Logger {
        let kept = self.fields.filter { old in !fields.contains { $0.key == old.key } }
        return Logger(level: level, sink: sink, fields: kept + fields.map { ($0.key, $0.value) }, now: now)
    }

    /// Whether a line of this level would be written; for fields that are costly to gather.
    package func isEnabled(_ level: LogLevel) -> Bool { level >= self.level && sink != nil }

    /// The path taken.
    package func debug(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) { log(.debug, message, fields()) }

    /// A change of state.
    package func info(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) { log(.info, message, fields()) }

    /// Something failed and will be tried again, or a limit was met.
    package func warning(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) { log(.warning, message, fields()) }

    /// Work was lost, or a person has to act.
    package func error(
        _ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) { log(.error, message, fields()) }

    /// A line whose level is known only at run time.
    package func log(
        _ level: LogLevel, _ message: StaticString,
        _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]
    ) {
        guard level >= self.level, let sink else { return }
        let fields = fields()
        var line = LogLine(time: now(), level: level, message: message)
        for (key, value) in Self.entries(of: LogContext.current)
        where !fields.contains(where: { $0.key == key }) && !self.fields.contains(where: { $0.key == key }) {
            line.append(key, value)
        }
        for (key, value) in self.fields where !fields.contains(where: { $0.key == key }) { line.append(key, value) }
        for (index, field) in fields.enumerated() where !fields.prefix(index).contains(where: { $0.key == field.key }) {
            line.append(field.key, field.value)
        }
        line.end()
        sink.write(line.bytes)
    }

    private static func entries(of context: LogContext) -> [(LogKey, LogValue)] {
        var entries: [(LogKey, LogValue)] = []
        if let id = context.requestID { entries.append((.requestID, .string(id))) }
        if let trace = context.trace { entries.append((.traceID, .string(trace.traceID))) }
        if let id = context.userID { entries.append((.userID, .string(id.description))) }
        if let id = context.jobID { entries.append((.jobID, .string(id.description))) }
        if let attempt = context.attempt { entries.append((.jobAttempt, LogValue(attempt))) }
        return entries
    }
}
