// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport

/// What the product adds to the time to the first token: one stream at a time, each after a direct call to the
/// provider. Both open a connection a request, so that this cancels out.
struct FirstTokenScenario: Scenario {
    let name = "first-token"
    let summary = "request → first content frame, minus the same of the provider itself; N pairs (200)"

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            let provider = APIClient(try await deployment.startSimulator())
            let api = try await deployment.startAPI()
            try await deployment.startWorker()
            let model = try await api.modelID(BenchmarkDeployment.model)
            let message = simulate(["tokens": "5", "ttft": "10ms", "itl": "1ms"])
            var (direct, product): ([Double], [Double]) = ([], [])
            let (count, warmUp) = (options.count ?? 200, 20)
            for round in 0..<count + warmUp {
                let session = try await api.newTitledSession(modelID: model)
                let alone = try await measure {
                    try await provider.callProvider(message)
                } isFirst: { frame in
                    let delta = frame.data["choices"]?.arrayValue?.first?["delta"]
                    return delta?["content"]?.stringValue?.isEmpty == false
                }
                let whole = try await measure {
                    try await api.post(message, to: session)
                } isFirst: {
                    $0.event == "content"
                }
                if round < warmUp { continue }
                direct.append(alone)
                product.append(whole)
            }
            let (alone, whole) = (Percentiles(direct), Percentiles(product))
            let added = Percentiles(product.map { $0 - alone.median })
            return [
                Figure("added p50", added.median, "ms", .atMost(3)),
                Figure("added p99", added[0.99], "ms", .atMost(10)),
                Figure("added maximum", added.maximum, "ms"),
                Figure("direct p50", alone.median, "ms"), Figure("direct p99", alone[0.99], "ms"),
                Figure("product p50", whole.median, "ms"), Figure("product p99", whole[0.99], "ms"),
                Figure("samples", Double(added.count), ""),
            ]
        }
    }

    /// Milliseconds to the first frame that counts; reads on to the end, so that nothing runs into the next sample.
    private func measure(
        _ open: () async throws -> ReplyStream, isFirst: (EventFrame) -> Bool
    ) async throws -> Double {
        let start = ContinuousClock.now
        let stream = try await open()
        while let frame = try await stream.exchange.frame() {
            guard isFirst(frame) else { continue }
            let took = start.duration(to: frame.receivedAt).milliseconds
            while let frame = try await stream.exchange.frame() {
                if frame.event == "complete" || frame.text.hasPrefix("data: {") && Self.isLast(frame) { break }
            }
            await stream.close()
            return took
        }
        throw BenchmarkFailure(["no token"])
    }

    private static func isLast(_ frame: EventFrame) -> Bool {
        frame.data["choices"]?.arrayValue?.first?["finish_reason"]?.stringValue != nil
    }
}
