// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport

/// The processes of a run: each has a place, and one that was killed is followed by another in its place.
struct FaultFleet: Sendable {
    private let deployment: Deployment
    private let apis: Recorder<[SwitchyardProcess]>
    private let workers: Recorder<[SwitchyardProcess]>
    /// Processes that ended though nobody asked them to, or otherwise than they were asked to.
    private let complaints = Recorder<[String]>([])
    private let replaced = Recorder<Set<Int32>>([])

    init(_ deployment: Deployment, _ processes: [SwitchyardProcess]) {
        self.deployment = deployment
        apis = Recorder(processes.filter { $0.role == .serve })
        workers = Recorder(processes.filter { $0.role == .work })
    }

    var violations: [String] {
        complaints.withLock { $0 } + survivors.filter { !$0.child.isRunning }.map { "\($0.role) ended by itself" }
    }

    /// Those that run now.
    var survivors: [SwitchyardProcess] { apis.withLock { $0 } + workers.withLock { $0 } }

    /// A client of the process that has this place now.
    func client(_ api: Int) async throws -> APIClient {
        try await apis.withLock { $0[api % $0.count] }.client()
    }

    func kill(worker: Int) async throws { try await kill(workers, worker) }

    func kill(api: Int) async throws { try await kill(apis, api) }

    /// Its follower starts while it ends, as in a rolling restart.
    func end(worker: Int) async throws {
        guard let ending = take(workers, worker) else { return }
        while ending.child.isRunning, try !ending.takesSignals() { await Pause.short() }
        ending.terminate()
        try await start(in: workers, worker, .work)
        // Without its database it cannot leave in order and is cut off after its grace: that is 1. It never hangs.
        let status = await ending.child.exitStatus()
        if status != .exited(0), status != .exited(1) { complain("SIGTERM: \(status)") }
    }

    func suspend(worker: Int, for pause: Duration) async { await suspend(workers.withLock { $0[worker] }, pause) }

    func suspend(api: Int, for pause: Duration) async { await suspend(apis.withLock { $0[api] }, pause) }

    private func suspend(_ process: SwitchyardProcess, _ pause: Duration) async {
        process.suspend()
        await Pause.until(.now + pause)
        process.resume()
    }

    private func kill(_ place: Recorder<[SwitchyardProcess]>, _ index: Int) async throws {
        guard let process = take(place, index) else { return }
        process.kill()
        let status = await process.child.exitStatus()
        if status != .signalled(SIGKILL) { complain("\(process.role) had ended by itself: \(status)") }
        try await start(in: place, index, process.role)
    }

    /// The process in a place, unless it is just being replaced.
    private func take(_ place: Recorder<[SwitchyardProcess]>, _ index: Int) -> SwitchyardProcess? {
        let process = place.withLock { $0[index] }
        return replaced.withLock { $0.insert(process.child.pid).inserted } ? process : nil
    }

    private func complain(_ text: String) { complaints.withLock { $0.append(text) } }

    private func start(
        in place: Recorder<[SwitchyardProcess]>, _ index: Int, _ role: SwitchyardProcess.Role
    ) async throws {
        let process = try await deployment.start(role)
        place.withLock { $0[index] = process }
    }
}
