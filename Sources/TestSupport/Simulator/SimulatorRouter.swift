// SPDX-License-Identifier: Apache-2.0
import JSON

/// Turns a request into the script of its answer. Pure but for the records it reads and counts in.
struct SimulatorRouter {
    let records: SimulatorRecords

    func script(for request: SimulatedRequest, stamp: SimulatorStamp) -> SimulatorScript {
        let path = request.path.split(separator: "?").first.map(String.init) ?? "/"
        switch (request.method, path) {
        case ("POST", "/v1/chat/completions"): return model(request, stamp: stamp, isChat: true)
        case ("POST", "/v1/embeddings"): return model(request, stamp: stamp, isChat: false)
        case ("GET", "/v1/models"): return answer(SimulatorAnswers.models())
        case ("GET", "/control/requests"): return answer(SimulatorAnswers.json(200, requestsBody()))
        case ("GET", "/control/connections"): return answer(SimulatorAnswers.json(200, connectionsBody()))
        case ("POST", "/control/reset"):
            records.reset()
            return answer(SimulatorAnswers.json(200, Array("{}".utf8)))
        default:
            return answer(
                SimulatorAnswers.error(404, "Unknown request URL.", type: "invalid_request_error", code: "unknown_url"))
        }
    }

    private func model(_ request: SimulatedRequest, stamp: SimulatorStamp, isChat: Bool) -> SimulatorScript {
        let body: JSONValue
        do throws(JSONError) { body = try JSONParser.parse(request.body) } catch {
            return answer(
                SimulatorAnswers.error(
                    400, "We could not parse the JSON body of your request.", type: "invalid_request_error", code: nil))
        }
        let call = SimulatedChatCall(body)
        var scenario = SimulatorScenario(
            model: call.model, header: request.fields["x-simulator"], lastUserMessage: call.lastUserMessage)
        let count = records.count(ofModel: call.model)
        if let times = scenario.times, count > times { scenario = scenario.withoutFaults }
        if scenario.faults.contains(.hang) { return SimulatorScript([.init(offset: .zero, action: .stall)]) }
        if let refusal = SimulatorAnswers.refusal(scenario, body: body) {
            return answer(refusal, at: scenario.firstToken)
        }
        guard isChat else { return answer(SimulatorAnswers.embeddings(body, scenario), at: scenario.firstToken) }
        let stream = ChatStream(scenario: scenario, call: call, number: request.number)
        return call.streams ? streamed(stream) : whole(stream, stamp: stamp)
    }

    private func streamed(_ stream: ChatStream) -> SimulatorScript {
        let scenario = stream.scenario
        let start = scenario.firstToken
        let end = stream.offset(ofToken: max(0, stream.sentTokenCount - 1))
        let head = SimulatorAnswers.head(
            200,
            fields: [
                ("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"),
                ("x-request-id", "req_\(stream.number)"),
            ])
        var tail: [SimulatorScript.Action]
        if scenario.faults.contains(.stall) {
            tail = [.stall]
        } else if scenario.faults.contains(.reset) {
            tail = [.reset]
        } else if scenario.faults.contains(.close) {
            tail = [.close]
        } else if scenario.faults.contains(.errorEvent) {
            tail = [.send(stream.errorEvent()), .send(ChatStream.lastChunk), .finish]
        } else {
            tail = [.send(stream.closing()), .send(ChatStream.lastChunk), .finish]
            if scenario.faults.contains(.badJSON) { tail.insert(.send(stream.brokenEvent()), at: 0) }
        }
        return SimulatorScript(
            head: [
                .init(offset: .zero, action: .send(head)),
                .init(offset: start, action: .send(stream.opening())),
            ],
            tokens: stream,
            tail: tail.map { .init(offset: end, action: $0) })
    }

    private func whole(_ stream: ChatStream, stamp: SimulatorStamp) -> SimulatorScript {
        let scenario = stream.scenario
        let body = stream.whole(stamp: stamp)
        let end = stream.offset(ofToken: max(0, stream.tokenCount - 1))
        let fields = [("x-request-id", "req_\(stream.number)")]
        var bytes = SimulatorAnswers.json(200, body, fields: fields)
        if scenario.faults.contains(.badJSON) {
            bytes = SimulatorAnswers.json(200, Array(body.dropLast(body.count / 2)), fields: fields)
        }
        let half = Array(bytes.dropLast(body.count / 2))
        let cut: SimulatorScript.Action? =
            scenario.faults.contains(.stall)
            ? .stall : scenario.faults.contains(.reset) ? .reset : scenario.faults.contains(.close) ? .close : nil
        guard let cut else { return answer(bytes, at: end) }
        return SimulatorScript([.init(offset: end, action: .send(half)), .init(offset: end, action: cut)])
    }

    private func answer(_ bytes: [UInt8], at offset: Duration = .zero) -> SimulatorScript {
        SimulatorScript([.init(offset: offset, action: .send(bytes)), .init(offset: offset, action: .finish)])
    }

    // MARK: Control

    private func requestsBody() -> [UInt8] {
        JSONWriter.object { body in
            body.arrayMember("requests") { list in
                for request in records.requests where !request.path.hasPrefix("/control/") {
                    list.object { item in
                        item.member("number", request.number)
                        item.member("connection", request.connectionNumber)
                        item.member("method", request.method)
                        item.member("path", request.path)
                        item.objectMember("headers") { headers in
                            for (name, value) in request.fields.sorted(by: { $0.key < $1.key }) {
                                headers.member(name, value)
                            }
                        }
                        item.member("body", request.text)
                    }
                }
            }
        }
    }

    private func connectionsBody() -> [UInt8] {
        JSONWriter.object { body in
            body.arrayMember("connections") { list in
                for connection in records.connections {
                    list.object { item in
                        item.member("number", connection.number)
                        item.member("requests", connection.requestCount)
                        item.member("sentTokens", connection.sentTokenCount)
                        item.member("closedBy", connection.closedBy.map { .string($0.rawValue) } ?? .null)
                        if let closedAt = connection.closedAt {
                            let age = connection.openedAt.duration(to: closedAt)
                            item.member("openMilliseconds", Int(age / .milliseconds(1)))
                        }
                    }
                }
            }
        }
    }
}
