// SPDX-License-Identifier: Apache-2.0
import Runtime

extension PostgresConnection {
    /// Someone no longer waits: drops the call from the line, or cancels it on the server when it is its turn there.
    func giveUp(_ number: UInt64, _ reason: Exchange.GivenUp) {
        let error = PostgresError(reason == .task ? .cancelled : .deadlineExceeded)
        if let exchange = waiting.remove(where: { $0.number == number })
            ?? ownerWaiting.remove(where: { $0.number == number })
        {
            finish(exchange, .failure(error))
            // It may have been what kept the line waiting.
            return pump()
        }
        inFlight.forEach { exchange in
            guard exchange.number == number, exchange.givenUp == nil else { return }
            exchange.givenUp = reason
            // Whatever happens on the way, the caller hears within this time.
            if let timer = exchange.timer { loop.cancel(timer) }
            exchange.timer = loop.schedule(at: .now + configuration.cancelGrace) { [weak self] in
                self?.assumeIsolated { $0.end(.lost, detail: "a cancelled statement did not end") }
            }
        }
        cancelHeadIfGivenUp()
    }

    /// Cancels the statement the server is at, when nobody wants it any more.
    ///
    /// The cancel comes by another connection and hits whatever runs when it arrives, so nothing more is sent until
    /// it has arrived and all that was sent before has been answered; innocent ones that it hits are repeated.
    func cancelHeadIfGivenUp() {
        guard state == .open, !cancelIsOut, cancelTimer == nil, let head = inFlight.first, head.givenUp != nil,
            let cancel = handle?.makeCancel()
        else { return }
        cancelIsOut = true
        drainAfterCancel = true
        inFlight.forEach { $0.isExposedToCancel = true }
        let loop = loop
        let begun = blocking.start { [weak self] in
            cancel.send()
            loop.execute { self?.assumeIsolated { $0.cancelArrived() } }
        }
        if !begun { cancelArrived() }
    }

    private func cancelArrived() {
        guard state == .open else { return }
        cancelIsOut = false
        if inFlight.isEmpty { drainAfterCancel = false }
        // It may have come before the server began the statement, and then had no effect: again in a while.
        cancelTimer = loop.schedule(at: .now + .milliseconds(50)) { [weak self] in
            self?.assumeIsolated {
                $0.cancelTimer = nil
                $0.cancelHeadIfGivenUp()
            }
        }
        pump()
    }
}
