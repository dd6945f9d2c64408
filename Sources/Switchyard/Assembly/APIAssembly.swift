// SPDX-License-Identifier: Apache-2.0
import API
import Chat
import HTTPServer
import Observability
import Persistence
import Runtime

/// The API's services, wired.
struct APIAssembly {
    /// In the order they start.
    let services: [any Service]

    init(_ foundations: Foundations, mode: APIConfiguration.Mode) {
        let configuration = foundations.configuration
        let (logger, metrics) = (foundations.logger, foundations.metrics)
        let hub = StreamHub(
            source: StreamSource(
                configuration: foundations.postgres, pool: foundations.pool, loop: foundations.loops.loops[1],
                blocking: foundations.blocking),
            logger: logger, metrics: metrics)
        let api = APIServices(
            configuration: APIConfiguration(
                mode: mode, version: Program.version,
                crossOrigin: configuration.corsEnabled
                    ? CrossOriginPolicy(origins: configuration.corsOrigin ?? "") : nil,
                metricsToken: configuration.metricsToken,
                allowsPrivateProviders: configuration.allowsPrivateProviders,
                trustedProxies: configuration.trustedProxies),
            database: foundations.database, models: foundations.models, settings: foundations.settings,
            queue: foundations.queue, gates: foundations.gates, notifier: foundations.notifier, hub: hub,
            clock: foundations.clock,
            ids: foundations.ids, signingKey: foundations.signingKey, blocking: foundations.blocking,
            isListenerHealthy: { hub.isListening }, logger: logger, metrics: metrics)
        var server = ServerConfiguration()
        server.host = configuration.host
        server.port = configuration.port
        server.writeStallTimeout = configuration.clientStall
        services = [
            hub, api.limiter,
            HTTPServer(
                configuration: server, group: foundations.loops, handler: api.makeRouter(), logger: logger,
                metrics: metrics, refusalResponder: api.refusalResponder),
        ]
    }
}

extension Foundations {
    /// Who uses the API: in single-user mode one user, who is made at the first start.
    func mode() async throws(PersistenceError) -> APIConfiguration.Mode {
        guard configuration.isSingleUser else { return .multiple }
        return .single(try await UserStore(database: database).ensureSingleUser(newID: ids.next()))
    }
}
