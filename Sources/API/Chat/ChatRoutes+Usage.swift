// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Persistence

extension ChatRoutes {
    /// What a conversation has cost, and how full its window is.
    @Sendable func usage(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let id: SessionID? = try request.query { query in
            let id: SessionID? = query.id("sessionId")
            if id == nil, query.string("sessionId") == nil { query.fail("sessionId", "is required") }
            return id
        }
        guard let id else { throw .notFound("This session") }
        let usage: SessionUsage
        let limit: Int?
        do throws(PersistenceError) {
            guard let session = try await services.sessions.find(id, user: user) else {
                throw PersistenceError(.notFound)
            }
            usage = try await services.usage.usage(of: id, user: user)
            limit = usage.current == nil ? try await contextLimit(of: session, user) : nil
        } catch {
            throw error.code == .notFound ? .notFound("This session") : APIError(error)
        }
        return .object { usage.write(to: &$0, contextLimit: limit) }
    }

    /// The window of the model that the next turn goes to; nil when there is none.
    private func contextLimit(of session: ChatSession, _ user: UserID) async throws(PersistenceError) -> Int? {
        do throws(PersistenceError) {
            return try await services.models.resolve(
                session.modelID, for: user, defaultID: services.settings.current.defaultModelID
            ).fields.contextLimitTokens
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }
}

extension SessionUsage {
    /// The limit is shown before the first call.
    fileprivate func write(to writer: inout JSONWriter, contextLimit: Int?) {
        writer.objectMember("totals") { writer in
            writer.member("calls", totals.callCount)
            writer.member("prompt_tokens", totals.promptTokens)
            writer.member("completion_tokens", totals.completionTokens)
            writer.member("total_tokens", totals.totalTokens)
            writer.member("estimated", totals.isEstimated)
        }
        if let lastRound {
            writer.objectMember("last_round") { writer in
                lastRound.usage.writeFields(to: &writer)
                writer.member("createdAt", lastRound.createdAt.description)
                writer.member("model", lastRound.model)
                writer.member("provider", lastRound.provider)
            }
        } else {
            writer.nullMember("last_round")
        }
        if let current {
            Self.writeCurrent(current.promptTokens, current.contextLimit, current.contextRemaining, to: &writer)
        } else if let contextLimit {
            Self.writeCurrent(0, contextLimit, contextLimit, to: &writer)
        } else {
            writer.nullMember("current")
        }
    }

    private static func writeCurrent(_ prompt: Int, _ limit: Int, _ remaining: Int, to writer: inout JSONWriter) {
        writer.objectMember("current") { writer in
            writer.member("prompt_tokens", prompt)
            writer.member("context_limit", limit)
            writer.member("context_remaining", remaining)
        }
    }
}
