// SPDX-License-Identifier: Apache-2.0
package import Chat
import Jobs
package import Persistence

/// Tells which model jobs will ask, before they run: what they name, else what their session names, else the default.
///
/// A good guess is enough: the session's model may change until the run looks itself, and then the run finds out.
package struct ModelChooser: Sendable {
    private let store: ProviderStore
    private let settings: SettingsStore
    private let fallback: ModelID?

    /// - Parameters:
    ///   - store: where sessions are looked up.
    ///   - settings: the default models.
    ///   - fallback: what is asked when nothing else is named.
    package init(store: ProviderStore, settings: SettingsStore, fallback: ModelID?) {
        self.store = store
        self.settings = settings
        self.fallback = fallback
    }

    /// One statement for all jobs together. Kinds that ask no model are left out, and all of them when it fails.
    func models(of jobs: [ClaimedJob]) async -> [JobID: ModelID] {
        let settings = settings.current
        var models: [JobID: ModelID] = [:]
        var open: [(job: JobID, session: SessionID, owner: UserID)] = []
        for job in jobs {
            switch job.kind {
            case .chat:
                guard let payload = ChatPayload(json: job.payload) else { continue }
                if let model = payload.modelID {
                    models[job.lease.job] = model
                } else {
                    open.append((job.lease.job, payload.sessionID, job.userID))
                }
            case .title:
                guard let payload = TitlePayload(json: job.payload) else { continue }
                if let model = settings.titleModelID {
                    models[job.lease.job] = model
                } else {
                    open.append((job.lease.job, payload.sessionID, job.userID))
                }
            default: continue
            }
        }
        if open.isEmpty { return models }
        let named: [SessionID: ModelID?]
        do throws(PersistenceError) {
            named = try await store.models(of: open.map { ($0.session, owner: $0.owner) })
        } catch {
            // Those that are not known run and find out for themselves.
            return models
        }
        for entry in open {
            guard let model = named[entry.session] else { continue }
            models[entry.job] = model ?? settings.defaultModelID ?? fallback
        }
        return models
    }
}
