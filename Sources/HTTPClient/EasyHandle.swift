// SPDX-License-Identifier: Apache-2.0
import CCurl

/// One transfer of libcurl, freed with the value. Used on its loop's thread only.
@safe struct EasyHandle: ~Copyable {
    private let raw: UnsafeMutableRawPointer
    private var fieldLines: UnsafeMutablePointer<curl_slist>?

    init?() {
        guard let raw = unsafe curl_easy_init() else { return nil }
        unsafe self.raw = raw
        unsafe fieldLines = nil
    }

    deinit {
        unsafe curl_easy_cleanup(raw)
        unsafe curl_slist_free_all(fieldLines)
    }

    /// libcurl's words for a result.
    static func words(for code: Int) -> String {
        guard let words = unsafe ccurl_words(Int32(code)) else { return "" }
        return unsafe String(cString: words)
    }

    func set(_ option: CURLoption, _ value: Int) -> Bool { unsafe ccurl_set_long(raw, option, value) == 0 }

    func set(_ option: CURLoption, _ value: String) -> Bool { unsafe ccurl_set_text(raw, option, value) == 0 }

    func setBody(_ bytes: [UInt8]) -> Bool {
        // An empty array may have no address, and libcurl takes none for «read the body from a callback».
        if bytes.isEmpty { return unsafe ccurl_set_body(raw, "", 0) == 0 }
        return unsafe bytes.withUnsafeBytes { unsafe ccurl_set_body(raw, $0.baseAddress, $0.count) == 0 }
    }

    /// Complete lines, `Name: value`, or `Name:` to leave out what libcurl would send.
    mutating func setFieldLines(_ lines: [String]) -> Bool {
        for line in lines {
            guard let longer = unsafe curl_slist_append(fieldLines, line) else { return false }
            unsafe fieldLines = longer
        }
        return unsafe ccurl_set_list(raw, CURLOPT_HTTPHEADER, fieldLines) == 0
    }

    /// Directs what comes to a transfer, which must outlive the handle, and gives the number that its end will carry.
    func bind(to transfer: Transfer, number: UInt64) -> Bool {
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        let head: ccurl_data_callback = { bytes, size, count, context in
            unsafe Transfer.of(context)?.headLine(Self.span(bytes, size * count)) == true ? size * count : 0
        }
        let body: ccurl_data_callback = { bytes, size, count, context in
            guard let transfer = unsafe Transfer.of(context) else { return 0 }
            let wasTaken = unsafe transfer.bodyBytes(Self.span(bytes, size * count))
            return wasTaken ? size * count : ccurl_write_pause()
        }
        let request: ccurl_request_callback = { context, remote, _, _, _ in
            guard let transfer = unsafe Transfer.of(context) else { return CURL_PREREQFUNC_ABORT }
            let address = unsafe remote.map { unsafe String(cString: $0) } ?? ""
            return transfer.connected(to: address) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
        let open: ccurl_open_callback = { context, purpose, address in
            guard let transfer = unsafe Transfer.of(context), let address = unsafe address else {
                return ccurl_no_socket()
            }
            var bytes = [UInt8](repeating: 0, count: 16)
            let count = unsafe ccurl_address_bytes(address, &bytes)
            guard transfer.mayConnect(to: bytes.prefix(Int(count))) else { return ccurl_no_socket() }
            return unsafe ccurl_open_socket(address)
        }
        return unsafe ccurl_set_callbacks(raw, context, head, body, request, open) == 0
            && ccurl_set_token(raw, UInt(number)) == 0
    }

    /// Goes on with a held-back body; calls back before it returns.
    func resume() -> Int { unsafe Int(ccurl_resume(raw)) }

    /// How many connections the transfer had to make: 0 when it found one.
    var newConnectionCount: Int { unsafe ccurl_new_connections(raw) }

    /// For the multi handle.
    func withRaw<Result>(_ body: (UnsafeMutableRawPointer) -> Result) -> Result { unsafe body(raw) }

    private static func span(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: UnsafeRawPointer(bytes)?.assumingMemoryBound(to: UInt8.self), count: count)
    }
}
