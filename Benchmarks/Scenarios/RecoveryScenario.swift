// SPDX-License-Identifier: Apache-2.0
import Glibc
import JSON
import TestSupport

/// What a watching client sees when the worker of its reply is killed: the time until the next frame with text.
struct RecoveryScenario: Scenario {
    let name = "recovery"
    let summary = "kill -9 of the worker → next token at the watching client, a second worker running; N rounds (5)"

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        try await BenchmarkDeployment.with { deployment in
            _ = try await deployment.startSimulator()
            let api = try await deployment.startAPI()
            let model = try await api.modelID(BenchmarkDeployment.model)
            let message = simulate(["tokens": "500", "itl": "20ms"])
            var worker = try await deployment.startWorker("worker 0")
            var (tokens, restarts): ([Double], [Double]) = ([], [])
            for round in 1...options.count(quick: 2, normal: 5, full: 20) {
                let stream = try await api.post(message, to: try await api.newTitledSession(modelID: model))
                _ = try await stream.read(pieces: 25)
                // Only now is there another one, so it is certain which of the two has the reply.
                let next = try await deployment.startWorker("worker \(round)")
                let killed = ContinuousClock.now
                worker.kill()
                var hasRestarted = false
                while let frame = try await stream.exchange.frame(within: .seconds(20)) {
                    if frame.event == "restart" {
                        restarts.append(killed.duration(to: frame.receivedAt).seconds)
                        hasRestarted = true
                    }
                    guard hasRestarted, frame.event == "content" else { continue }
                    tokens.append(killed.duration(to: frame.receivedAt).seconds)
                    break
                }
                guard tokens.count == round else { throw BenchmarkFailure(["no token after the kill"]) }
                await stream.close()
                _ = try await api.call("POST", "/api/chat/stop", ["messageId": .string(stream.messageID)])
                worker = next
            }
            let (token, restart) = (Percentiles(tokens), Percentiles(restarts))
            return [
                Figure("kill → next token maximum", token.maximum, "s", .atMost(5)),
                Figure("kill → next token median", token.median, "s"),
                Figure("kill → restart frame median", restart.median, "s"), Figure("rounds", Double(token.count), ""),
            ]
        }
    }
}
