// SPDX-License-Identifier: Apache-2.0
import Chat
package import JSON
import Jobs
package import Persistence

extension QueueOverview {
    /// Writes `lanes`, `kinds`, `paused`, and how far the counts go.
    package func writeFields(to writer: inout JSONWriter) {
        writer.arrayMember("lanes") { writer in
            for lane in Lane.allCases {
                writer.object { writer in
                    writer.member("lane", lane.name)
                    lanes[lane]?.writeFields(to: &writer)
                }
            }
        }
        writer.arrayMember("kinds") { writer in
            let sorted = kinds.sorted {
                ($0.key.lane.rawValue, $0.key.kind.rawValue) < ($1.key.lane.rawValue, $1.key.kind.rawValue)
            }
            for (subject, load) in sorted {
                writer.object { writer in
                    writer.member("kind", subject.kind.rawValue)
                    writer.member("lane", subject.lane.name)
                    writer.member("paused", pausedKinds[subject.kind] != nil)
                    load.writeFields(to: &writer)
                }
            }
        }
        writer.arrayMember("paused") { writer in
            for (kind, since) in pausedKinds.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                writer.object { writer in
                    writer.member("kind", kind.rawValue)
                    writer.member("since", since.description)
                }
            }
        }
        writer.objectMember("countedUpTo") { writer in
            writer.member("perLane", Self.maximumPerLane)
            writer.member("perKind", Self.maximumPerKind)
        }
    }
}

extension QueueOverview.Load {
    fileprivate func writeFields(to writer: inout JSONWriter) {
        writer.member("depth", depth)
        writer.member("ready", readyCount)
        writer.member("waiting", waitingCount)
        writer.member("running", runningCount)
        writer.objectMember("deferred") { writer in
            for (reason, count) in deferredCounts.sorted(by: { $0.key < $1.key }) { writer.member(reason, count) }
        }
        if let oldestAge {
            writer.member("oldestMs", oldestAge.wholeMilliseconds)
        } else {
            writer.nullMember("oldestMs")
        }
        let minutes = Double(RecentRuns.window.components.seconds) / 60
        writer.member("completedPerMinute", Double(completedCount) / minutes)
        writer.member("failedPerMinute", Double(failedCount) / minutes)
    }
}

extension WorkerOverview {
    /// Writes one worker as an object.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("version", version)
            writer.member("slots", slots)
            writer.member("running", runningCount)
            writer.member("draining", isDraining)
            writer.member("startedAt", startedAt.description)
            writer.member("lastBeatAt", lastBeatAt.description)
            writer.member("sinceBeatMs", sinceBeat.wholeMilliseconds)
        }
    }
}

extension Duration {
    /// Rounded towards zero.
    fileprivate var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
