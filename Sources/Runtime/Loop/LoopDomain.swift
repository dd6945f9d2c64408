// SPDX-License-Identifier: Apache-2.0

/// An actor with nothing in it: whatever is isolated to it runs on the loop's thread.
///
/// Work that speaks with the loop's other actors is run here, so that a call between them changes no thread and no
/// turn. A task executor would not do: the runtime compares it at every call between methods of an actor, and where
/// the task prefers another or none, each such call goes through the loop's inbox once more (measured: 20 entries for
/// ten calls of two methods, here 1) and lets other work in between.
///
/// Nonisolated functions called here stay here. Closures that they give to the standard library do not, unless they
/// capture the isolation: hence ``withCancellationHandler(isolation:_:onCancel:)``.
package actor LoopDomain {
    /// Whose thread it is.
    package nonisolated let loop: EventLoop
    /// The loop.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Costs one allocation; as many as wanted may share a loop.
    package init(_ loop: EventLoop) { self.loop = loop }

    /// Runs a body on the loop, from where it is called to its end. A child task of the body leaves the loop unless it
    /// does the same.
    package func run<Value: Sendable, Failure: Error>(
        _ body: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        loop.preconditionCurrent()
        return try await body()
    }

    /// Waits a few milliseconds without leaving the loop: the library's sleep changes threads twice. Not cancellable.
    package func pause(for duration: Duration) async {
        let due = ContinuousClock.now + duration
        await withContinuation { continuation in
            _ = loop.schedule(at: due) { continuation.resume() }
        }
    }
}
