// SPDX-License-Identifier: Apache-2.0
import Observability

/// The metrics of one pool.
struct PoolMetrics: Sendable {
    let open: Gauge
    let inUse: Gauge
    let waiting: Gauge
    let wait: Histogram
    let connects: Counter
    let failures: Counter
    let repeats: Counter

    init(_ registry: MetricsRegistry, pool: String) {
        func gauge(_ name: StaticString, _ help: StaticString) -> Gauge {
            registry.gauge(name, help: help, labels: ["pool"]).labels(pool)
        }
        func counter(_ name: StaticString, _ help: StaticString) -> Counter {
            registry.counter(name, help: help, labels: ["pool"]).labels(pool)
        }
        open = gauge("switchyard_postgres_pool_connections", "Open connections.")
        inUse = gauge("switchyard_postgres_pool_in_use", "Connections on loan.")
        waiting = gauge("switchyard_postgres_pool_waiting", "Callers that wait for a connection.")
        wait = registry.histogram(
            "switchyard_postgres_pool_wait_seconds", help: "Time until a connection was lent.", labels: ["pool"]
        ).labels(pool)
        connects = counter("switchyard_postgres_pool_connects_total", "Connections made.")
        failures = counter("switchyard_postgres_pool_connect_failures_total", "Attempts to connect that failed.")
        repeats = counter("switchyard_postgres_pool_repeats_total", "Transactions run again for another one's sake.")
    }
}
