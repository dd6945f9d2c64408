// SPDX-License-Identifier: Apache-2.0
import CCurl
import Glibc
package import Observability
package import Runtime
import Synchronization

/// Requests to servers that are not ours, by libcurl on the process's loops: one set of connections a loop.
///
/// HTTP/1.1, and HTTP/2 where TLS negotiates it. Certificates are verified; redirects are not followed; there are no
/// cookies and no content codings. Proxies are taken from the environment (`https_proxy`, `http_proxy`, `no_proxy`).
/// libcurl repeats a request by itself when a connection that was kept turns out dead before any answer.
/// Any thread.
package final class HTTPClient: Sendable {
    private let drivers: [TransferDriver]
    private let configuration: HTTPClientConfiguration
    private let position = Atomic<Int>(0)
    private let lastNumber = Atomic<UInt64>(0)

    /// A client on several loops; a request made on one of them stays there, others go round.
    ///
    /// Traps when the installed libcurl cannot do what this depends on: TLS, and resolving names on threads of its own
    /// (without it a slow name server would stop the loop).
    package init(loops: [EventLoop], configuration: HTTPClientConfiguration, metrics: MetricsRegistry? = nil) {
        precondition(!loops.isEmpty, "a client needs a loop")
        precondition(Library.isUsable, "libcurl lacks TLS or asynchronous name resolution")
        var configuration = configuration
        if configuration.certificateAuthorityFile == nil, let file = unsafe getenv("SSL_CERT_FILE") {
            configuration.certificateAuthorityFile = unsafe String(cString: file)
        }
        self.configuration = configuration
        let clientMetrics = metrics.map(HTTPClientMetrics.init)
        drivers = loops.map { TransferDriver(loop: $0, configuration: configuration, metrics: clientMetrics) }
    }

    /// A client on all loops of a group.
    package convenience init(
        group: EventLoopGroup, configuration: HTTPClientConfiguration, metrics: MetricsRegistry? = nil
    ) {
        self.init(loops: group.loops, configuration: configuration, metrics: metrics)
    }

    /// Sends a request and waits for the response's head; the body comes after it.
    ///
    /// - Throws: any code but `idleTimeout`; a status is never an error here. Cancelling the task ends the transfer.
    package func open(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let driver = nextDriver()
        let mailbox = ResponseMailbox(highWaterBytes: configuration.highWaterBytes) { [weak driver] in
            driver?.resume(number)
        }
        let transfer = TransferHandle(number: number, driver: driver, mailbox: mailbox)
        let result = await withCancellationHandler {
            driver.start(request, number: number, mailbox: mailbox)
            return await transfer.headResult()
        } onCancel: {
            transfer.abort()
        }
        let head = try result.get()
        return HTTPClientResponse(
            status: head.status, fields: head.fields, body: HTTPResponseBody(transfer: transfer))
    }

    /// Ends all transfers as cancelled and closes all connections. Call it before the loops end.
    package func shutDown() async {
        for driver in drivers { await driver.shutDown() }
    }

    private func nextDriver() -> TransferDriver {
        if let here = drivers.first(where: { $0.loop.isCurrent }) { return here }
        let old = position.wrappingAdd(1, ordering: .relaxed).oldValue
        return drivers[Int(UInt(bitPattern: old) % UInt(drivers.count))]
    }

    private enum Library {
        static let isUsable = ccurl_global_init() == 0 && ccurl_features() & 3 == 3
    }
}
