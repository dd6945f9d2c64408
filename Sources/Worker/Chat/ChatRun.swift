// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Providers
import Runtime
import Synchronization

/// One run of a turn: loads the thread, asks the provider, hands every piece to the stream.
final class ChatRun: JobRun {
    /// What the end needs to know. Written by the run, read after it has returned.
    struct State: Sendable {
        var progress = ReplyProgress()
        var context: ChatContext?
        var call: ProviderCall?
        /// Whether the call's row is in the ledger.
        var isCallOpen = false
    }

    let job: ClaimedJob
    let stream: RunStream
    let services: ChatServices
    let now: @Sendable () -> Timestamp
    let payload: ChatPayload?
    let state = Mutex(State())

    init(job: ClaimedJob, stream: RunStream, services: ChatServices, now: @escaping @Sendable () -> Timestamp) {
        self.job = job
        self.stream = stream
        self.services = services
        self.now = now
        payload = ChatPayload(json: job.payload)
    }

    var hadOutput: Bool { state.withLock { $0.progress.hadOutput } }

    func perform() async throws(JobFailure) -> [UInt8]? {
        guard let payload else { throw JobFailure(.fatal, .internalError, "the job's payload cannot be read") }
        if job.needsRestart {
            try await write(.restart(StreamRestart(attempt: Int(job.attempt), reason: restartReason, keptBytes: 0)))
        }
        let context = try await ChatContext.load(payload, of: job, with: services)
        // Before anything is written: a run that may not ask goes back to wait without a trace.
        let admitted: ProtectedCall
        do throws(ProviderError) { admitted = try await context.provider.admit(context.request) } catch {
            throw JobFailure(error)
        }
        try await answer(payload, context, admitted)
        return nil
    }

    /// Every call that a provider may charge for has its row in the ledger before it shows anything; one that comes to
    /// nothing before that is charged for at the end of the run.
    private func beginCall(
        _ number: Int16, _ payload: ChatPayload, _ context: ChatContext
    ) async throws(JobFailure) {
        let call = ProviderCall(
            lease: job.lease, number: number, userID: job.userID, sessionID: payload.sessionID,
            messageID: payload.messageID, model: context.model.fields.model, provider: context.provider.name)
        state.withLock { state in
            state.context = context
            state.call = call
            state.isCallOpen = false
        }
        do throws(PersistenceError) {
            try await services.replies.begin(
                payload.messageID, call, promptTokens: context.plan.promptTokens,
                contextLimitTokens: context.plan.contextLimit)
        } catch {
            throw JobFailure(reading: error)
        }
        state.withLock { $0.isCallOpen = true }
        let settings = services.settings.current
        if number == 1 && settings.usageEmit && !settings.usageProviderOnly {
            try await write(.usage(context.plan.estimatedUsage()))
        }
    }

    /// The provider thinks while the database writes: nobody waits for both, one after the other.
    private func ask(
        _ call: ProtectedCall, _ payload: ChatPayload, _ context: ChatContext,
    ) async throws(JobFailure) -> Result<ProviderStream, ProviderError> {
        let (pieces, opened) = await together { () async -> Result<ProviderStream, ProviderError> in
            do throws(ProviderError) { return .success(try await call.stream()) } catch { return .failure(error) }
        } _: { () async -> Result<Void, JobFailure> in
            do throws(JobFailure) { return .success(try await beginCall(1, payload, context)) } catch {
                return .failure(error)
            }
        }
        try opened.get()
        return pieces
    }

    private var restartReason: String { job.crashes > 0 ? "worker_lost" : "retry" }

    /// Asks in pieces, and once for the whole when the provider accepts but does not, or cannot, stream.
    private func answer(
        _ payload: ChatPayload, _ context: ChatContext, _ call: ProtectedCall
    ) async throws(JobFailure) {
        let pieces = try await ask(call, payload, context)
        do throws(ProviderError) {
            try await read(try pieces.get())
        } catch {
            guard Self.mayAskForWhole(after: error) else { throw JobFailure(error) }
            // A stream that was refused cost nothing: its row serves for the second call too.
            if error.cause != .streamingRefused { try await beginCall(2, payload, context) }
            let whole: ProviderCompletion
            do throws(ProviderError) {
                whole = try await context.provider.admit(context.request).complete()
            } catch let second {
                // A second call that may not go is no reason to forget that the first one failed: the attempt is spent.
                throw JobFailure(second.cause == .withheld ? error : second)
            }
            for event in whole.events { try await take(event) }
        }
    }

    private func read(_ pieces: ProviderStream) async throws(ProviderError) {
        for try await batch in pieces {
            for event in batch {
                do throws(JobFailure) { try await take(event) } catch {
                    // The lease is lost: the call ends with the iterator.
                    throw ProviderError(.cancelled, .cancelled)
                }
            }
        }
    }

    private func take(_ event: ProviderEvent) async throws(JobFailure) {
        guard let visible = state.withLock({ $0.progress.apply(event) }) else { return }
        try await write(visible)
    }

    private func write(_ event: StreamEvent) async throws(JobFailure) {
        do throws(StreamLost) {
            try await stream.append(event)
        } catch {
            throw JobFailure(.interrupted, .internalError, "the lease is lost")
        }
    }

    /// A stream that opened and broke before any output, or a provider that does not stream.
    private static func mayAskForWhole(after error: ProviderError) -> Bool {
        if error.hadOutput { return false }
        switch error.cause {
        case .streamingRefused, .truncated, .malformed, .streamError: return error.code != .rateLimited
        case .connection, .timeout, .status, .cancelled, .withheld: return false
        }
    }
}
