// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Worker

/// Ties the listener, which exists first, to the worker that it wakes.
final class WakeUps: Sendable {
    private let worker = Mutex<WorkerService?>(nil)

    func connect(_ service: WorkerService) {
        worker.withLock { $0 = service }
    }

    func wake() {
        worker.withLock { $0 }?.wake()
    }
}
