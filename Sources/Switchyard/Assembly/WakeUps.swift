// SPDX-License-Identifier: Apache-2.0
import Jobs
import Synchronization
import Worker

/// Ties the listener, which exists first, to the worker that it wakes.
final class WakeUps: Sendable {
    private let worker = Mutex<WorkerService?>(nil)

    func connect(_ service: WorkerService) {
        worker.withLock { $0 = service }
    }

    func wake(_ lanes: Set<Lane> = Lane.all) {
        worker.withLock { $0 }?.wake(lanes)
    }
}
