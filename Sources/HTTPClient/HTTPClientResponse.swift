// SPDX-License-Identifier: Apache-2.0
package import HTTP
import Runtime

/// A response whose head is there and whose body may still be coming.
package struct HTTPClientResponse: Sendable {
    /// What the server says; redirects are not followed.
    package let status: HTTPStatus
    /// Control characters in values became spaces; lines that are no fields are left out.
    package let fields: HTTPFields
    /// To be read once. Dropping it ends the transfer and closes its connection.
    package let body: HTTPResponseBody
}

/// The bytes of a response as they come, for one reader.
///
/// Each element is whatever arrived since the last one, so a slow reader gets few large chunks. While over the client's
/// high-water mark waits, the peer is held back. The bytes before a failure are delivered before it is thrown.
/// Cancelling the reading task, or dropping the body and its iterators, ends the transfer.
package struct HTTPResponseBody: AsyncSequence, Sendable {
    /// At least one byte.
    package typealias Element = [UInt8]
    /// The module's error.
    package typealias Failure = HTTPClientError

    let transfer: TransferHandle

    /// A reader; make only one.
    package func makeAsyncIterator() -> Iterator { Iterator(transfer: transfer) }

    /// Reads a body, element by element.
    package struct Iterator: AsyncIteratorProtocol {
        let transfer: TransferHandle

        /// The next bytes, `nil` at the body's proper end.
        ///
        /// - Throws: `idleTimeout`, `totalTimeout`, `connectionLost` for a body that was cut, `cancelled`.
        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(HTTPClientError) -> [UInt8]? {
            let transfer = transfer
            let result = await withCancellationHandler(isolation: actor) {
                await transfer.nextResult(isolation: actor)
            } onCancel: {
                transfer.abort()
            }
            return try result.get()
        }
    }

    /// Changes the patience with the rest of the body, for readers who expect less of it once it flows.
    ///
    /// - Parameters:
    ///   - idle: the longest silence.
    ///   - deadline: when the whole exchange must be over; `nil` for no such bound.
    package func limit(idle: Duration, deadline: ContinuousClock.Instant?) {
        transfer.driver.limit(transfer.number, idle: idle, deadline: deadline)
    }

    /// The whole body, for answers that are short by nature.
    ///
    /// - Throws: `tooLarge` as soon as it is over `limitBytes`; the transfer is then ended.
    package func collect(upTo limitBytes: Int) async throws(HTTPClientError) -> [UInt8] {
        var all: [UInt8] = []
        var iterator = makeAsyncIterator()
        while let chunk = try await iterator.next(isolation: #isolation) {
            guard all.count + chunk.count <= limitBytes else {
                transfer.abort()
                throw HTTPClientError(.tooLarge, mayHaveReachedServer: true)
            }
            if all.isEmpty { all = chunk } else { all.append(contentsOf: chunk) }
        }
        return all
    }
}
