// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Observability

@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    @Test(arguments: [
        ("00-\(trace)-\(span)-01", true), ("00-\(trace)-\(span)-00", false), ("00-\(trace)-\(span)-ff", true),
        ("01-\(trace)-\(span)-01", true), ("cc-\(trace)-\(span)-00-what-the-future-brings", false),
    ])
    func `headers of this and later versions are read`(header: String, isSampled: Bool) throws {
        let context = try #require(TraceContext(traceparent: header))
        #expect(context.traceID == Self.trace)
        #expect(context.spanID == Self.span)
        #expect(context.isSampled == isSampled)
        #expect(context.traceparent == "00-\(Self.trace)-\(Self.span)-\(isSampled ? "01" : "00")")
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01x",
        "ff-\(trace)-\(span)-01", "0x-\(trace)-\(span)-01", "01-\(trace)-\(span)-01x", "00_\(trace)-\(span)-01",
        "00-\(trace.uppercased())-\(span)-01", "00-00000000000000000000000000000000-\(span)-01",
        "00-\(trace)-0000000000000000-01", "00-\(trace)-\(span)-0g", " 00-\(trace)-\(span)-01",
        "00-\(trace)\(span)--01", "00-\(trace.dropLast())é\(span)-01",
    ])
    func `malformed headers are refused`(header: String) {
        #expect(TraceContext(traceparent: header) == nil)
    }

    @Test func `a new trace survives the header and a child keeps the trace`() throws {
        let trace = TraceContext.start(isSampled: true)
        #expect(TraceContext(traceparent: trace.traceparent) == trace)
        let child = trace.child()
        #expect(child.traceID == trace.traceID && child.isSampled)
        #expect(child.spanID != trace.spanID)
    }
}
