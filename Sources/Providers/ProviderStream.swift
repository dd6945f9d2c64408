// SPDX-License-Identifier: Apache-2.0

/// An answer as it comes, for one reader. An element is everything that came since the last one, never empty, with
/// neighbouring text joined, so a slow reader gets few large batches and holds the provider back.
///
/// A proper end is `nil`; an answer that was cut throws after what came. Cancelling the reading task, or dropping the
/// stream and its iterators, ends the call at once.
package struct ProviderStream: AsyncSequence, Sendable {
    /// A batch.
    package typealias Element = [ProviderEvent]
    /// The module's error.
    package typealias Failure = ProviderError

    /// The provider's own id of the request, for the log.
    package let requestID: String?
    /// Members of the request that the provider refused and that were left out; the model's row should remember them.
    package let omittedParameters: Set<String>
    /// What the provider's header fields said of its budgets.
    package let budget: ProviderBudgetReport

    private let makeSource: @Sendable () -> any ProviderEventSource

    init(
        requestID: String? = nil, omittedParameters: Set<String> = [],
        budget: ProviderBudgetReport = ProviderBudgetReport(),
        _ makeSource: @escaping @Sendable () -> any ProviderEventSource
    ) {
        self.requestID = requestID
        self.omittedParameters = omittedParameters
        self.budget = budget
        self.makeSource = makeSource
    }

    /// A reader; make only one.
    package func makeAsyncIterator() -> Iterator { Iterator(source: makeSource()) }

    /// The same answer, watched while it is read. The observer is kept until the stream and its iterators are gone.
    package func observed(by observer: any ProviderStreamObserver) -> ProviderStream {
        let makeSource = makeSource
        return ProviderStream(requestID: requestID, omittedParameters: omittedParameters, budget: budget) {
            ObservedEventSource(source: makeSource(), observer: observer)
        }
    }

    /// Reads an answer, batch by batch.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate var source: any ProviderEventSource

        /// The next batch, `nil` at the answer's proper end.
        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(ProviderError) -> [ProviderEvent]? {
            try await source.next()
        }
    }
}

/// What a vendor's form has to implement: the next batch, `nil` at the end.
protocol ProviderEventSource {
    mutating func next() async throws(ProviderError) -> [ProviderEvent]?
}
