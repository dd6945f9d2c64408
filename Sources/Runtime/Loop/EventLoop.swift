// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// One thread, one epoll set, one Swift executor: sockets, C libraries and the actors that own them share it.
///
/// A turn: run what was posted → end-of-turn work → wait → deliver readiness → run the timers that were due when the wait
/// began. So what has come is always delivered before a timer that became due meanwhile, also when the whole process
/// stood still. Whatever runs here must not block. As `SerialExecutor` it isolates the actors that own a descriptor, so a callback of a C
/// library may use `assumeIsolated`; a ``LoopDomain`` brings other code here. As `TaskExecutor` it serves
/// ``withContinuation(isolation:_:)`` and nobody else.
///
/// `@unchecked Sendable`: everything but the inbox is touched by the loop's own thread only, which
/// ``preconditionCurrent()`` checks at every entry.
@safe package final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private enum Work {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private struct Inbox {
        var work: [Work] = []
        var sleeping = false
        var stopping = false
    }

    private struct Slot {
        var generation: UInt32 = 0
        var handler: ((Readiness) -> Void)?
    }

    private let epoll: Int32
    private let wake: Int32
    private let inbox = Mutex(Inbox())
    private let threadID = Atomic<UInt>(0)
    private let thread = Mutex<SystemThread?>(nil)

    private var slots: [Slot] = []
    private var timers = TimerQueue<() -> Void>()
    private var endOfTurn: [() -> Void] = []
    /// When the turn's wait began: in the body of a timer, everything that was ready by then has been delivered.
    package private(set) var waitBegan = ContinuousClock.now
    private var running: [Work] = []

    /// Starts the loop's thread.
    ///
    /// - Parameter name: the thread's name, cut to 15 bytes.
    /// - Throws: when the process has no descriptor or thread left.
    package init(name: String) throws(SystemError) {
        epoll = try SystemError.check(clinux_epoll_create(), "epoll_create1")
        let wake = clinux_eventfd()
        if wake < 0 {
            Socket.close(epoll)
            throw SystemError(number: -wake, call: "eventfd")
        }
        self.wake = wake
        let added = clinux_epoll_control(epoll, Int32(CLINUX_ADD.rawValue), wake, UInt32(CLINUX_IN.rawValue), .max)
        _ = try SystemError.check(added, "epoll_ctl")
        let started = try SystemThread(name: name) { [self] in run() }
        thread.withLock { $0 = started }
    }

    deinit {
        Socket.close(epoll)
        Socket.close(wake)
    }

    // MARK: From any thread

    /// Whether the caller is on this loop's thread.
    package var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// The loop whose thread the caller is on.
    static var current: EventLoop? {
        unsafe clinux_thread_loop().map { unsafe Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Runs a body on the loop, after everything posted before it. Posted after ``shutDown()``, it never runs.
    package func execute(_ body: @escaping @Sendable () -> Void) {
        post(.body(body))
    }

    /// See `SerialExecutor` and `TaskExecutor`: work of tasks and actors takes the same way as ``execute(_:)``, in one order.
    package func enqueue(_ job: consuming ExecutorJob) {
        post(.job(UnownedJob(job)))
    }

    /// See `SerialExecutor`: lets `assumeIsolated` trust a callback that runs on the thread.
    package func checkIsolated() {
        preconditionCurrent()
    }

    /// See `SerialExecutor`: the same answer as ``isCurrent``, without a trap.
    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Runs what is posted, then ends the thread and waits for it; not from the loop itself.
    ///
    /// Tasks that still prefer this loop never run again: end them first.
    package func shutDown() {
        let wakeIt = inbox.withLock { inbox in
            inbox.stopping = true
            defer { inbox.sleeping = false }
            return inbox.sleeping
        }
        if wakeIt { _ = clinux_eventfd_signal(wake) }
        thread.withLock { $0.take() }?.join()
    }

    private func post(_ work: Work) {
        let wakeIt = inbox.withLock { inbox in
            inbox.work.append(work)
            defer { inbox.sleeping = false }
            return inbox.sleeping
        }
        if wakeIt { _ = clinux_eventfd_signal(wake) }
    }

    // MARK: On the loop's thread

    /// Traps when the caller is on another thread: loop-confined state has no lock.
    package func preconditionCurrent() {
        precondition(isCurrent, "not on the event loop's thread")
    }

    /// Watches a descriptor, level-triggered, until ``deregister(_:)``.
    ///
    /// The handler may deregister any descriptor, its own too; readiness of a deregistered one is not delivered.
    package func register(
        _ descriptor: Int32, _ interest: Interest, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Registration {
        preconditionCurrent()
        let index = Int(descriptor)
        while slots.count <= index { slots.append(Slot()) }
        slots[index].generation &+= 1
        let registration = Registration(descriptor: descriptor, generation: slots[index].generation)
        try control(.add, registration, interest)
        slots[index].handler = handler
        return registration
    }

    /// Changes the interest. A library may have closed and reopened the descriptor under the same number
    /// (libpq does while connecting): the kernel's forgetting or remembering is mended here.
    package func update(_ registration: Registration, _ interest: Interest) throws(SystemError) {
        preconditionCurrent()
        precondition(isLive(registration), "update of a deregistered descriptor")
        try control(.modify, registration, interest)
    }

    /// Ends the watch; harmless when the descriptor is closed already or the registration is an old one.
    package func deregister(_ registration: Registration) {
        preconditionCurrent()
        guard isLive(registration) else { return }
        slots[Int(registration.descriptor)].handler = nil
        _ = clinux_epoll_control(epoll, Int32(CLINUX_DEL.rawValue), registration.descriptor, 0, 0)
    }

    /// Runs a body at a deadline; never in place, even when the deadline has passed.
    package func schedule(at deadline: ContinuousClock.Instant, _ body: @escaping () -> Void) -> TimerID {
        preconditionCurrent()
        return timers.insert(body, at: deadline)
    }

    /// Harmless when the timer has run.
    package func cancel(_ timer: TimerID) {
        preconditionCurrent()
        timers.remove(timer)
    }

    /// Runs a body once, after this turn's posted work and events: the place to coalesce writes.
    package func atEndOfTurn(_ body: @escaping () -> Void) {
        preconditionCurrent()
        endOfTurn.append(body)
    }

    private func isLive(_ registration: Registration) -> Bool {
        let index = Int(registration.descriptor)
        return index < slots.count && slots[index].generation == registration.generation && slots[index].handler != nil
    }

    private enum Control { case add, modify }

    private func control(
        _ operation: Control, _ registration: Registration, _ interest: Interest
    ) throws(SystemError) {
        let data = UInt64(registration.generation) << 32 | UInt64(UInt32(bitPattern: registration.descriptor))
        let first = operation == .add ? CLINUX_ADD : CLINUX_MOD
        let other = operation == .add ? CLINUX_MOD : CLINUX_ADD
        var answer = clinux_epoll_control(
            epoll, Int32(first.rawValue), registration.descriptor, interest.bits, data)
        if answer == -ENOENT || answer == -EEXIST {
            answer = clinux_epoll_control(epoll, Int32(other.rawValue), registration.descriptor, interest.bits, data)
        }
        _ = try SystemError.check(answer, "epoll_ctl")
    }

    // MARK: The turn

    private func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        unsafe clinux_set_thread_loop(Unmanaged.passUnretained(self).toOpaque())
        var events = [clinux_event](repeating: clinux_event(), count: 256)
        while true {
            runPosted()
            runEndOfTurn()
            guard let timeout = beginWait() else { return }
            let count = unsafe clinux_epoll_wait(epoll, &events, Int32(events.count), timeout)
            // Only a closed or invalid epoll descriptor fails here, which is a fault of this class.
            precondition(count >= 0, "epoll_wait failed")
            inbox.withLock { $0.sleeping = false }
            for event in events.prefix(Int(count)) { deliver(event) }
            runTimers()
        }
    }

    private func runPosted() {
        inbox.withLock { swap(&$0.work, &running) }
        for work in running {
            switch work {
            case .body(let body): body()
            case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
            }
        }
        running.removeAll(keepingCapacity: running.capacity <= 4096)
    }

    private func runEndOfTurn() {
        guard !endOfTurn.isEmpty else { return }
        let bodies = endOfTurn
        endOfTurn = []
        for body in bodies { body() }
    }

    /// The wait in nanoseconds (-1: until woken), or nil when the loop is to end.
    private func beginWait() -> Int64? {
        let deadline = timers.nextDeadline()
        if deadline != nil { waitBegan = .now }
        let moreToDo = !endOfTurn.isEmpty
        return inbox.withLock { inbox in
            if !inbox.work.isEmpty || moreToDo { return 0 }
            if inbox.stopping { return nil }
            inbox.sleeping = true
            guard let deadline else { return -1 }
            let wait = waitBegan.duration(to: deadline)
            if wait <= .zero { return 0 }
            let (seconds, attoseconds) = wait.components
            return min(seconds, 3600) * 1_000_000_000 + attoseconds / 1_000_000_000 + 1
        }
    }

    private func deliver(_ event: clinux_event) {
        if event.data == .max {
            _ = clinux_eventfd_drain(wake)
            return
        }
        let index = Int(UInt32(truncatingIfNeeded: event.data))
        let generation = UInt32(truncatingIfNeeded: event.data >> 32)
        guard index < slots.count, slots[index].generation == generation else { return }
        slots[index].handler?(Readiness(bits: event.bits))
    }

    private func runTimers() {
        while let body = timers.popDue(waitBegan) { body() }
    }
}
