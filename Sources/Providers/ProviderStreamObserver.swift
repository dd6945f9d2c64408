// SPDX-License-Identifier: Apache-2.0

/// Told of an answer as it is read.
///
/// Neither `ended` nor `failed` comes when the reader goes away before the end: then the observer is just let go, which
/// its `deinit` may notice.
package protocol ProviderStreamObserver: AnyObject, Sendable {
    /// A batch came.
    func received(_ events: [ProviderEvent])
    /// The answer came to its proper end.
    func ended()
    /// It broke.
    func failed(_ error: ProviderError)
}

/// Passes an answer through and tells of it.
struct ObservedEventSource: ProviderEventSource {
    var source: any ProviderEventSource
    let observer: any ProviderStreamObserver

    mutating func next() async throws(ProviderError) -> [ProviderEvent]? {
        let events: [ProviderEvent]?
        do throws(ProviderError) { events = try await source.next() } catch {
            observer.failed(error)
            throw error
        }
        if let events { observer.received(events) } else { observer.ended() }
        return events
    }
}
