// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Persistence

extension Sessions {
    /// For pages that stay open: what the session is, then what becomes of it.
    @Sendable func events(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let session = try await find(request)
        let hub = services.hub.sessions
        return APIResponse(
            .eventStream(heartbeat: services.settings.current.sseHeartbeatInterval) { writer in
                hub.watch(session.id, owner: user, to: writer)
            })
    }
}
