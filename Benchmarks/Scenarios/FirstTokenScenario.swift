// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport

/// What the product adds to the time to the first token: one stream at a time, beside a direct call to the provider,
/// now before it and now after it. Both open a connection a request, so that this cancels out.
struct FirstTokenScenario: Scenario {
    let name = "first-token"
    let summary = "request → first content frame, minus the same of the provider itself; N pairs (300)"
    let rounds = 3

    private static let warmUp = 30

    /// Milliseconds of one request.
    private struct Sample {
        /// To the first token.
        var total = 0.0
        /// Of that, from the provider's writing of it.
        var afterSending = 0.0
    }

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            let provider = APIClient(try await deployment.startSimulator())
            let api = try await deployment.startAPI()
            try await deployment.startWorker()
            let model = try await api.modelID(BenchmarkDeployment.model)
            let message = simulate(["tokens": "5", "ttft": "10ms", "itl": "1ms", "stamp": "1"])
            var (direct, product): ([Sample], [Sample]) = ([], [])
            for number in 0..<options.count(quick: 40, normal: 300, full: 1000) + Self.warmUp {
                let session = try await api.newTitledSession(modelID: model)
                var (alone, whole) = (Sample(), Sample())
                if number.isMultiple(of: 2) { alone = try await callDirectly(provider, message) }
                whole = try await measure {
                    try await api.post(message, to: session)
                } text: {
                    $0.event == "content" ? $0["content"] : nil
                }
                if !number.isMultiple(of: 2) { alone = try await callDirectly(provider, message) }
                if number < Self.warmUp { continue }
                direct.append(alone)
                product.append(whole)
            }
            let (alone, whole) = (Percentiles(direct.map(\.total)), Percentiles(product.map(\.total)))
            let added = Percentiles(product.map { $0.total - alone.median })
            let after = Percentiles(product.map(\.afterSending))
            return [
                Figure("added p50", added.median, "ms", .atMost(3)),
                Figure("added p99", added[0.99], "ms", .atMost(10)),
                Figure("added maximum", added.maximum, "ms"),
                Figure("after the provider's write p50", after.median, "ms"),
                Figure("after the provider's write p99", after[0.99], "ms"),
                Figure("direct p50", alone.median, "ms"), Figure("direct p99", alone[0.99], "ms"),
                Figure("product p50", whole.median, "ms"), Figure("product p99", whole[0.99], "ms"),
                Figure("samples", Double(added.count), ""),
            ]
        }
    }

    private func callDirectly(_ provider: APIClient, _ message: String) async throws -> Sample {
        try await measure {
            try await provider.callProvider(message)
        } text: {
            $0.data["choices"]?.arrayValue?.first?["delta"]?["content"]?.stringValue
        }
    }

    /// Takes the first frame with text; reads on to the end, so that nothing runs into the next sample.
    private func measure(
        _ open: () async throws -> ReplyStream, text: (EventFrame) -> String?
    ) async throws -> Sample {
        let start = ContinuousClock.now
        let stream = try await open()
        while let frame = try await stream.exchange.frame() {
            let now = MonotonicClock.microseconds
            guard let text = text(frame), let stamp = text.split(separator: " ").first,
                let sent = stamp.split(separator: "@").last.flatMap({ Int64($0) })
            else { continue }
            let sample = Sample(
                total: start.duration(to: frame.receivedAt).milliseconds, afterSending: Double(now - sent) / 1000)
            while let frame = try await stream.exchange.frame() {
                if frame.event == "complete" || frame.text.hasPrefix("data: {") && Self.isLast(frame) { break }
            }
            await stream.close()
            return sample
        }
        throw BenchmarkFailure(["no token"])
    }

    private static func isLast(_ frame: EventFrame) -> Bool {
        frame.data["choices"]?.arrayValue?.first?["finish_reason"]?.stringValue != nil
    }
}
