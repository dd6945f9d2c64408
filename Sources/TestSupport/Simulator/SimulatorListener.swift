// SPDX-License-Identifier: Apache-2.0
import Runtime

/// Accepts the simulator's connections on one loop, and owns them.
@safe actor SimulatorListener {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private let records: SimulatorRecords
    private var registration: Registration?
    private var connections: [Int32: SimulatorConnection] = [:]

    init(_ descriptor: Int32, loop: EventLoop, records: SimulatorRecords) {
        self.descriptor = descriptor
        self.loop = loop
        self.records = records
    }

    nonisolated func start() {
        loop.execute { self.assumeIsolated { $0.begin() } }
    }

    nonisolated func stop() {
        loop.execute { self.assumeIsolated { $0.end() } }
    }

    private func begin() {
        do throws(SystemError) {
            registration = try loop.register(descriptor, .read) { [weak self] _ in
                self?.assumeIsolated { $0.acceptAll() }
            }
        } catch {
            preconditionFailure("the simulator cannot listen: \(error)")
        }
    }

    private func end() {
        guard let registration else { return }
        loop.deregister(registration)
        self.registration = nil
        Socket.close(descriptor)
        for connection in connections.values { connection.close(by: .simulator) }
    }

    private func acceptAll() {
        while true {
            do throws(SystemError) {
                let accepted = try Socket.accept(descriptor)
                let connection = SimulatorConnection(accepted, loop: loop, records: records) { [weak self] in
                    self?.assumeIsolated { $0.forget(accepted) }
                }
                connections[accepted] = connection
                connection.begin()
            } catch {
                // Nothing waits, or the peer that waited is gone; the loop asks again when there is something.
                return
            }
        }
    }

    private func forget(_ descriptor: Int32) {
        connections[descriptor] = nil
    }
}
