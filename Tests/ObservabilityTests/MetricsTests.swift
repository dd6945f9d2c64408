// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(1)))
struct MetricsTests {
    private let metrics = MetricsRegistry()

    /// The text without the metrics of the process.
    private var text: String {
        metrics.prometheusText().split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains("process_") }.joined(separator: "\n")
    }

    @Test func `the text format has help, type and sorted samples`() {
        let requests = metrics.counter(
            "http_requests_total", help: "Requests \\ by\nroute.", labels: ["route", "status"])
        requests.labels("/b", "200").increment(by: 3)
        requests.labels("/a \"x\"\\\n", "500").increment()
        metrics.gauge("connections", help: "Open.").set(2)
        metrics.gauge("load_ratio", help: "Load.").set(0.25)
        _ = metrics.counter("idle_total", help: "Nothing yet.")
        _ = metrics.gauge("unused", help: "No member yet.", labels: ["lane"])
        #expect(
            text == #"""
                # HELP connections Open.
                # TYPE connections gauge
                connections 2
                # HELP http_requests_total Requests \\ by\nroute.
                # TYPE http_requests_total counter
                http_requests_total{route="/a \"x\"\\\n",status="500"} 1
                http_requests_total{route="/b",status="200"} 3
                # HELP idle_total Nothing yet.
                # TYPE idle_total counter
                idle_total 0
                # HELP load_ratio Load.
                # TYPE load_ratio gauge
                load_ratio 0.25
                # HELP unused No member yet.
                # TYPE unused gauge

                """#)
    }

    @Test func `a histogram counts cumulatively and bounds are inclusive`() {
        let waits = metrics.histogram(
            "wait_seconds", help: "Waiting.", labels: ["lane"], buckets: [0.5, 1, 2.5]
        ).labels("chat")
        waits.observe(.milliseconds(500))
        waits.observe(0.75)
        waits.observe(.seconds(2))
        waits.observe(.seconds(60))
        waits.observe(.nan)
        #expect(
            text == """
                # HELP wait_seconds Waiting.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{lane="chat",le="0.5"} 1
                wait_seconds_bucket{lane="chat",le="1"} 2
                wait_seconds_bucket{lane="chat",le="2.5"} 3
                wait_seconds_bucket{lane="chat",le="+Inf"} 4
                wait_seconds_sum{lane="chat"} 63.25
                wait_seconds_count{lane="chat"} 4

                """)
        #expect(waits.count == 4 && waits.sum == 63.25)
    }

    @Test func `concurrent updates are all counted`() async {
        let counter = metrics.counter("c_total", help: "c")
        let gauge = metrics.gauge("g", help: "g")
        let histogram = metrics.histogram("h_seconds", help: "h")
        let family = metrics.counter("f_total", help: "f", labels: ["n"])
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for _ in 0..<500 {
                        counter.increment()
                        gauge.add(1)
                        histogram.observe(0.5)
                        family.labels("\(task % 2)").increment()
                    }
                }
            }
        }
        #expect(counter.value == 4000 && gauge.value == 4000)
        #expect(histogram.count == 4000 && histogram.sum == 2000)
        #expect(family.labels("0").value == 2000 && family.labels("1").value == 2000)
    }

    @Test func `label values beyond 256 share one member named other`() {
        let family = metrics.counter("f_total", help: "f", labels: ["a", "b"])
        for number in 0..<300 { family.labels("\(number)", "x").increment() }
        family.labels("0", "x").increment()
        #expect(family.snapshot.count == 257)
        #expect(family.labels("0", "x").value == 2)
        #expect(family.labels("other", "other").value == 44)
    }

    @Test func `counters do not fall and gauges may`() {
        let counter = metrics.counter("c_total", help: "c")
        counter.increment(by: -5)
        #expect(counter.value == 0)
        let gauge = metrics.gauge("g", help: "g")
        gauge.increment()
        gauge.decrement()
        gauge.add(-1.5)
        #expect(gauge.value == -1.5)
        gauge.set(.infinity)
        #expect(text.contains("g +Inf\n"))
    }

    @Test func `the same registration gives the same metric`() {
        metrics.counter("c_total", help: "c").increment()
        metrics.counter("c_total", help: "c").increment()
        #expect(metrics.counter("c_total", help: "c").value == 2)
    }

    @Test func `a different registration of the same name traps`() async {
        await #expect(processExitsWith: .failure) {
            let metrics = MetricsRegistry()
            _ = metrics.counter("c_total", help: "c")
            _ = metrics.gauge("c_total", help: "c")
        }
        await #expect(processExitsWith: .failure) {
            let metrics = MetricsRegistry()
            _ = metrics.histogram("h", help: "h", buckets: [1])
            _ = metrics.histogram("h", help: "h", buckets: [2])
        }
    }

    @Test func `names the format does not allow trap`() async {
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().gauge("9lives", help: "") }
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().gauge("a", help: "", labels: ["b-c"]) }
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().histogram("a", help: "", labels: ["le"]) }
        await #expect(processExitsWith: .failure) { _ = MetricsRegistry().histogram("a", help: "", buckets: [2, 1]) }
        await #expect(processExitsWith: .failure) {
            _ = MetricsRegistry().gauge("a", help: "", labels: ["b"]).labels("1", "2")
        }
    }

    @Test func `what is registered can be listed with its unit`() {
        _ = metrics.histogram("wait_seconds", help: "Waiting.", labels: ["lane"])
        _ = metrics.counter("sent_bytes_total", help: "Sent.")
        _ = metrics.counter("errors_total", help: "Errors.")
        let list = metrics.descriptions
        #expect(list.map(\.name) == list.map(\.name).sorted())
        let units = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.unit ?? "") })
        #expect(
            units == [
                "errors_total": "", "sent_bytes_total": "bytes", "wait_seconds": "seconds",
                "process_cpu_seconds_total": "seconds", "process_open_fds": "",
                "process_resident_memory_bytes": "bytes", "process_start_time_seconds": "seconds",
            ])
        #expect(list.first { $0.name == "wait_seconds" }?.labels == ["lane"])
    }

    @Test func `the process reports itself`() throws {
        let values = metrics.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        func value(_ name: String) throws -> Double {
            let line = try #require(values.first { $0.hasPrefix(name + " ") })
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_cpu_seconds_total") >= 0)
        let age = Double(WallTime.now().millisecondsSince1970) / 1000 - (try value("process_start_time_seconds"))
        #expect((-2..<86_400).contains(age))
    }

    @Test func `a program's name cannot shift the fields of its status`() throws {
        let stat = "7 (a) b (c) S " + (4...52).map(String.init).joined(separator: " ") + "\n"
        let status = try #require(ProcessStatus(stat: stat, bootSeconds: 1000, ticksPerSecond: 100, pageBytes: 4096))
        #expect(status.cpuSeconds == 0.29)
        #expect(status.startSeconds == 1000.22)
        #expect(status.residentBytes == 24 * 4096)
        #expect(ProcessStatus(stat: "7 (x) S 1", bootSeconds: 0, ticksPerSecond: 1, pageBytes: 1) == nil)
    }
}
