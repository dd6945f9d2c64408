// SPDX-License-Identifier: Apache-2.0
import Postgres
import TestSupport

/// Looks now and then at the lease of every job, which must only rise.
struct LeaseWatch: Sendable {
    private let highest = Recorder<[String: Int64]>([:])
    private let complaints = Recorder<[String]>([])

    var violations: [String] { complaints.withLock { $0 } }

    func look(at deployment: Deployment) async throws {
        let seen: [(String, Int64)]
        do {
            seen = try await deployment.withConnection { connection in
                try await connection.query(
                    """
                    SELECT job::text, lease FROM ready UNION ALL SELECT job::text, lease FROM waiting
                    UNION ALL SELECT job::text, lease FROM running UNION ALL SELECT job::text, lease FROM deferred
                    UNION ALL SELECT id::text, lease FROM jobs WHERE lease IS NOT NULL
                    """
                ).decode(String.self, Int64.self).map { ($0, $1) }
            }
        } catch is PostgresError {
            // The database is down at this moment.
            return
        }
        for (job, lease) in seen {
            let before = highest.withLock { highest in
                defer { highest[job] = max(highest[job] ?? 0, lease) }
                return highest[job] ?? 0
            }
            if lease < before { complaints.withLock { $0.append("job \(job): lease \(lease) after \(before)") } }
        }
    }
}
