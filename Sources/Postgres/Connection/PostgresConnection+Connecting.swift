// SPDX-License-Identifier: Apache-2.0
import Runtime

extension PostgresConnection {
    /// Connects; the only caller is `connect`.
    func open(
        _ parameters: [(String, String)], _ deadline: ContinuousClock.Instant
    ) async throws(PostgresError) {
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                connecting = continuation
                begin(parameters, deadline)
                // A cancellation that came before found nothing to end.
                if Task.isCancelled { failConnecting(PostgresError(.cancelled)) }
            }
        } onCancel: {
            loop.execute { [weak self] in
                self?.assumeIsolated { $0.failConnecting(PostgresError(.cancelled)) }
            }
        }
        if let failure { throw failure }
    }

    private func begin(_ parameters: [(String, String)], _ deadline: ContinuousClock.Instant) {
        handle = ConnectionHandle(starting: parameters, logger: logger)
        guard let descriptor = handle?.descriptor, descriptor >= 0 else {
            return failConnecting(connectError())
        }
        connectTimer = loop.schedule(at: deadline) { [weak self] in
            self?.assumeIsolated {
                $0.failConnecting(PostgresError(.connectionFailed, detail: "no answer within the deadline"))
            }
        }
        // Before the first step libpq wants the socket to be writable.
        watch(.write)
    }

    func connectStep() {
        switch handle?.pollConnect() {
        case .wantsRead: watch(.read)
        case .wantsWrite: watch(.write)
        case .failed, nil: failConnecting(connectError())
        case .ready:
            guard handle?.setNonBlocking() == .sent, handle?.enterPipeline() == .sent else {
                return failConnecting(connectError())
            }
            watch(.read)
            guard let connecting = connecting.take() else { return }
            if let connectTimer { loop.cancel(connectTimer) }
            connectTimer = nil
            setOpen()
            connecting.resume(returning: nil)
        }
    }

    func failConnecting(_ error: PostgresError) {
        guard state == .connecting, let connecting = connecting.take() else { return }
        end(.lost, detail: nil)
        connecting.resume(returning: error)
    }

    /// Watches the socket libpq has now: it opens another for each address it tries.
    func watch(_ interest: Interest) {
        guard let descriptor = handle?.descriptor, descriptor >= 0 else { return }
        do throws(SystemError) {
            if let registration, registration.descriptor == descriptor {
                try loop.update(registration, interest)
            } else {
                if let registration { loop.deregister(registration) }
                registration = nil
                registration = try loop.register(descriptor, interest) { [weak self] readiness in
                    self?.assumeIsolated { $0.ready(readiness) }
                }
            }
            self.interest = interest
        } catch {
            let detail = error.description
            if state == .connecting {
                failConnecting(PostgresError(.connectionFailed, detail: detail))
            } else {
                end(.lost, detail: detail)
            }
        }
    }

    private func ready(_ readiness: Readiness) {
        switch state {
        case .connecting: connectStep()
        case .open: service(readiness)
        case .closed: break
        }
    }

    private func connectError() -> PostgresError { PostgresError.failedConnect(handle?.errorMessage ?? "") }
}

extension PostgresError {
    /// libpq gives no SQLSTATE for a refused connection; with verbose errors it stands in the text: `FATAL:  28P01: …`.
    static func failedConnect(_ message: String) -> PostgresError {
        var error = PostgresError(.connectionFailed, detail: message)
        let words = message.split(whereSeparator: { $0 == " " || $0 == "\n" })
        error.sqlState =
            words.lazy.filter { word in
                word.utf8.count == 6 && word.hasSuffix(":")
                    && word.dropLast().allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
                    && word.contains { $0.isNumber }
            }.map { String($0.dropLast()) }.first
        return error
    }
}
