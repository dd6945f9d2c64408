// SPDX-License-Identifier: Apache-2.0
import CCurl
import HTTP
import Runtime

/// One exchange on its loop: what libcurl calls back with, its deadlines, and where the response goes.
///
/// Confined to the loop's thread: the driver owns it, and libcurl calls it from within the driver's calls.
final class Transfer {
    let mailbox: ResponseMailbox
    private var easy: EasyHandle
    private let loop: EventLoop
    private let policy: AddressPolicy
    private let onDeadline: (HTTPClientError.Code) -> Void

    private var parser: ResponseHeadParser
    private var deadlines: TransferDeadlines
    private var timer: (id: TimerID, instant: ContinuousClock.Instant)?
    private var failure: HTTPClientError.Code?
    private var addressWasRefused = false
    private(set) var wasSent = false

    /// `onDeadline` is called by the loop when a deadline has passed.
    init?(
        _ request: HTTPClientRequest, number: UInt64, configuration: HTTPClientConfiguration, loop: EventLoop,
        mailbox: ResponseMailbox, onDeadline: @escaping (HTTPClientError.Code) -> Void
    ) {
        guard let easy = EasyHandle() else { return nil }
        self.easy = easy
        self.loop = loop
        self.mailbox = mailbox
        self.onDeadline = onDeadline
        policy = request.addressPolicy
        parser = ResponseHeadParser(limitBytes: configuration.headLimitBytes)
        deadlines = TransferDeadlines(request.limits, startingAt: .now)
        guard self.easy.configure(request, configuration), self.easy.bind(to: self, number: number) else { return nil }
        arm()
    }

    /// Whether the response's head has been handed over.
    var hasHead: Bool { parser.isComplete }

    func withEasy<Result>(_ body: (borrowing EasyHandle) -> Result) -> Result { body(easy) }

    /// The driver is done with it.
    func close() {
        if let timer { loop.cancel(timer.id) }
        timer = nil
    }

    /// The reader has emptied the mailbox.
    ///
    /// - Returns: libcurl's number when going on failed.
    func resume() -> Int? {
        deadlines.resumed(at: .now)
        arm()
        let code = easy.resume()
        return code == 0 ? nil : code
    }

    func limit(idle: Duration, deadline: ContinuousClock.Instant?) {
        deadlines.limit(idle: idle, deadline: deadline)
        arm()
    }

    /// Why it ended: by a limit of ours found within a callback, or by what libcurl says.
    func error(libraryCode: Int) -> HTTPClientError {
        if let failure { return HTTPClientError(failure, mayHaveReachedServer: wasSent) }
        return HTTPClientError(
            libraryCode: libraryCode, wasSent: wasSent, hasHead: hasHead, addressWasRefused: addressWasRefused)
    }

    // MARK: Called by libcurl

    static func of(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        guard let context = unsafe context else { return nil }
        return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// - Returns: false refuses the address; libcurl tries the host's next.
    func mayConnect(to address: some RandomAccessCollection<UInt8>) -> Bool {
        guard policy == .publicOnly, !AddressGuard.isPublic(address) else { return true }
        addressWasRefused = true
        return false
    }

    /// The connection stands, new or found. A found one may have been made for a request that was allowed more.
    ///
    /// - Returns: false ends the transfer before anything is sent.
    func connected(to address: String) -> Bool {
        guard mayConnect(to: AddressGuard.bytes(ofNumeric: address) ?? []) else { return false }
        wasSent = true
        deadlines.connected(at: .now)
        arm()
        return true
    }

    /// - Returns: false ends the transfer.
    func headLine(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        switch unsafe parser.feed(line) {
        case .more: return true
        case .complete(let head):
            deadlines.headArrived(at: .now)
            arm()
            mailbox.receiveHead(head)
            return true
        case .failed(let code):
            failure = code
            return false
        }
    }

    /// - Returns: false holds the peer back; libcurl brings the bytes again.
    func bodyBytes(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard unsafe mailbox.receive(Span(_unsafeElements: bytes)) else {
            deadlines.heldBack()
            return false
        }
        deadlines.bytesArrived(at: .now)
        return true
    }

    // MARK: Deadlines

    /// Sees to it that the loop looks when the next deadline may have passed. Later deadlines leave the timer alone,
    /// so that a chunk costs a reading of the clock and nothing else.
    private func arm() {
        guard let next = deadlines.next else { return }
        if let timer {
            if timer.instant <= next { return }
            loop.cancel(timer.id)
        }
        let id = loop.schedule(at: next) { [weak self] in self?.look() }
        timer = (id, next)
    }

    /// By the time when the loop last looked at the sockets: after a standstill of the process, what the peer has sent
    /// meanwhile comes first.
    private func look() {
        timer = nil
        if let code = deadlines.expired(at: loop.waitBegan) { onDeadline(code) } else { arm() }
    }
}
