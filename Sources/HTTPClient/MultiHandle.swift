// SPDX-License-Identifier: Apache-2.0
import CCurl

/// libcurl's connections and transfers of one loop, freed with the value. Used on the loop's thread only.
@safe struct MultiHandle: ~Copyable {
    private let raw: UnsafeMutableRawPointer

    init?(maximumIdleConnections: Int) {
        guard let raw = unsafe curl_multi_init() else { return nil }
        guard unsafe ccurl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, maximumIdleConnections) == 0 else {
            unsafe curl_multi_cleanup(raw)
            return nil
        }
        unsafe self.raw = raw
    }

    deinit {
        // Whoever was called back is going away.
        _ = unsafe ccurl_multi_set_callbacks(raw, nil, nil, nil)
        unsafe curl_multi_cleanup(raw)
    }

    /// Directs what libcurl wants of the loop to a driver, which must own this handle.
    func bind(to driver: TransferDriver) {
        let context = unsafe Unmanaged.passUnretained(driver).toOpaque()
        let socket: ccurl_socket_callback = { _, socket, what, context, _ in
            guard let context = unsafe context else { return 0 }
            let driver = unsafe Unmanaged<TransferDriver>.fromOpaque(context).takeUnretainedValue()
            driver.assumeIsolated { $0.watch(socket, SocketWish(what)) }
            return 0
        }
        let timer: ccurl_timer_callback = { _, milliseconds, context in
            guard let context = unsafe context else { return 0 }
            let driver = unsafe Unmanaged<TransferDriver>.fromOpaque(context).takeUnretainedValue()
            driver.assumeIsolated { $0.setTimer(milliseconds < 0 ? nil : .milliseconds(milliseconds)) }
            return 0
        }
        _ = unsafe ccurl_multi_set_callbacks(raw, context, socket, timer)
    }

    /// Calls the timer callback before it returns.
    func add(_ easy: borrowing EasyHandle) -> Bool {
        unsafe easy.withRaw { unsafe curl_multi_add_handle(raw, $0) == CURLM_OK }
    }

    /// Ends a transfer; an unfinished one's connection is closed, or its HTTP/2 stream reset. Never in a callback.
    func remove(_ easy: borrowing EasyHandle) {
        _ = unsafe easy.withRaw { unsafe curl_multi_remove_handle(raw, $0) }
    }

    /// Tells libcurl what a socket is ready for. Calls back before it returns.
    func act(on socket: Int32, isReadable: Bool, isWritable: Bool, hasFailed: Bool) {
        let events = (isReadable ? 1 : 0) | (isWritable ? 2 : 0) | (hasFailed ? 4 : 0)
        _ = unsafe ccurl_multi_socket(raw, socket, Int32(events))
    }

    /// Tells libcurl that its timer is due. Calls back before it returns.
    func timerDue() {
        _ = unsafe ccurl_multi_timeout(raw)
    }

    /// The number and libcurl's result of the next transfer that ended.
    func nextEnded() -> (number: UInt64, libraryCode: Int)? {
        var token: UInt = 0
        var result: Int32 = 0
        guard unsafe ccurl_multi_next(raw, &token, &result) == 1 else { return nil }
        return (UInt64(token), Int(result))
    }
}

/// What libcurl waits for on a socket.
enum SocketWish {
    case nothing, read, write, readAndWrite

    init(_ what: Int32) {
        switch what {
        case Int32(CURL_POLL_IN): self = .read
        case Int32(CURL_POLL_OUT): self = .write
        case Int32(CURL_POLL_INOUT): self = .readAndWrite
        default: self = .nothing
        }
    }
}
