// SPDX-License-Identifier: Apache-2.0
import JSON
package import Jobs

/// How many jobs of a kind a worker has ended within ``window``, as its beats say it.
package struct RecentRuns: Sendable, Hashable {
    /// What «recent» is.
    package static let window: Duration = .seconds(300)
    /// More are not told: a beat is to stay small.
    package static let maximumCount = 24

    /// What ran.
    package let kind: JobKind
    /// Which line it came from.
    package let lane: Lane
    /// Jobs that ended well.
    package let completed: Int
    /// Jobs that failed for good.
    package let failed: Int

    /// See the properties.
    package init(kind: JobKind, lane: Lane, completed: Int, failed: Int) {
        self.kind = kind
        self.lane = lane
        self.completed = completed
        self.failed = failed
    }

    /// As stored with the worker.
    static func text(_ runs: [RecentRuns]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for run in runs.prefix(maximumCount) {
                writer.array { writer in
                    writer.string(run.kind.rawValue)
                    writer.integer(run.lane.rawValue)
                    writer.integer(run.completed)
                    writer.integer(run.failed)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// What is not understood was written by another version and is left out.
    static func parse(_ text: String) -> [RecentRuns] {
        let document: JSONValue
        do throws(JSONError) { document = try JSONParser.parse(text) } catch { return [] }
        return (document.arrayValue ?? []).compactMap { entry in
            guard let parts = entry.arrayValue, parts.count >= 4, let kind = parts[0].stringValue,
                let number = parts[1].integerValue.flatMap({ Int16(exactly: $0) }), let lane = Lane(rawValue: number),
                let completed = parts[2].integerValue.flatMap({ Int(exactly: $0) }),
                let failed = parts[3].integerValue.flatMap({ Int(exactly: $0) })
            else { return nil }
            return RecentRuns(kind: JobKind(rawValue: kind), lane: lane, completed: completed, failed: failed)
        }
    }
}
