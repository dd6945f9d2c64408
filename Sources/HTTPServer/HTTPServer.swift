// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Runtime
import Synchronization

/// HTTP/1.1 on the process's event loops: a listener a loop, connections stay where they were accepted.
///
/// `bind()` first, so that failing to listen is noticed before anything else starts; then `run` until shutdown. At
/// shutdown it stops listening, ends what is idle, lets requests finish, ends event streams after a grace (their
/// readers re-attach) and cuts what is left at the drain's deadline. TLS and HTTP/2 belong to a proxy in front.
package final class HTTPServer: Service {
    /// For the log.
    package let name = "http"

    private let shared: ServerShared
    private let loops: [ServerLoop]
    private let boundAddress = Mutex<SocketAddress?>(nil)

    /// A server that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: limits and deadlines.
    ///   - group: a listener on each of its loops; the group outlives the server.
    ///   - handler: usually a ``Router``.
    ///   - logger: refusals and answers at debug level, changes of state at info.
    ///   - metrics: the server adds its own, named `switchyard_http_…`.
    ///   - refusalResponder: makes the answers to what is refused below the router.
    package init(
        configuration: ServerConfiguration, group: EventLoopGroup, handler: any HTTPHandler, logger: Logger,
        metrics: MetricsRegistry,
        refusalResponder: @escaping RefusalResponder = { ServerResponse.refusal($0, requestID: $1) }
    ) {
        let shared = ServerShared(
            configuration: configuration, handler: handler, refusalResponder: refusalResponder, logger: logger,
            metrics: ServerMetrics(metrics))
        self.shared = shared
        loops = group.loops.map { ServerLoop(loop: $0, shared: shared) }
    }

    /// Where the server listens, with the port the kernel chose; `nil` before ``bind()``.
    package var address: SocketAddress? { boundAddress.withLock { $0 } }

    /// Listens. Connections are accepted from here on. Not from a loop: it resolves the host's name.
    ///
    /// - Throws: `cannotListen`.
    package func bind() async throws(HTTPServerError) {
        let configuration = shared.configuration
        var port = configuration.port
        for loop in loops {
            do {
                let descriptor = try Socket.listen(host: configuration.host, port: port, sharingPort: true)
                let address = try Socket.localAddress(of: descriptor)
                port = address.port
                boundAddress.withLock { $0 = address }
                try await loop.listen(descriptor)
            } catch {
                for loop in loops { await loop.cut() }
                throw HTTPServerError(.cannotListen, cause: error)
            }
        }
        if let address {
            shared.logger.info(
                "listening", [.listenAddress: .string(address.host), .listenPort: LogValue(Int(address.port))])
        }
    }

    /// Serves until the signal, then drains; ends at once when cancelled.
    package func run(_ shutdown: ShutdownSignal) async throws {
        if address == nil { try await bind() }
        await withTaskCancellationHandler {
            await shutdown.wait()
            shared.logger.info(
                "draining", [.connectionCount: LogValue(shared.connectionCount.load(ordering: .relaxed))])
            await withDiscardingTaskGroup { group in
                for loop in loops { group.addTask { await loop.drain() } }
            }
        } onCancel: {
            for loop in loops { loop.onLoop { $0.cut() } }
        }
        shared.logger.info("stopped")
    }
}
