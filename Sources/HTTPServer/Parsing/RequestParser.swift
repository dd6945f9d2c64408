// SPDX-License-Identifier: Apache-2.0
import CLLHTTP
import HTTP

/// One connection's requests, one after the other, from bytes cut anywhere: llhttp behind ``HeadScanner``.
///
/// llhttp frames the message and splits the fields; the scanner and ``RequestHead`` refuse what it lets pass. It
/// stops after each request, so the bytes of the next one stay with the caller until it is their turn.
@safe final class RequestParser {
    enum Event {
        /// Every byte is consumed.
        case needsMore
        case head(RequestHead)
        case body([UInt8])
        /// The request is complete; what follows belongs to the next one.
        case complete
        /// The connection's input is of no use from here on.
        case refused(RequestRefusal)
    }

    private enum Phase { case head, body, complete, refused }

    private struct Line {
        var nameStart: Int
        var nameEnd: Int
        var valueEnd: Int
    }

    private let parser: UnsafeMutablePointer<llhttp_t>
    private let maxHeadBytes: Int
    private var scanner: HeadScanner
    private var phase = Phase.head
    private var isMessageComplete = false
    private var isHeadComplete = false

    /// The bytes of a request line that came in pieces.
    private var requestLine: [UInt8] = []

    // Filled by the callbacks: the target, then names and values, in one buffer.
    private var text: [UInt8] = []
    private var targetBytes = 0
    private var lines: [Line] = []
    private var isInValue = false
    private var body: [UInt8] = []
    /// Trailers and chunk extensions, which are read and dropped but not without limit.
    private var overheadBytes = 0

    init(limits: ServerConfiguration) {
        maxHeadBytes = limits.maxHeadBytes
        scanner = HeadScanner(
            maxHeadBytes: limits.maxHeadBytes, maxHeaderLines: limits.maxHeaderLines,
            maxTargetBytes: limits.maxTargetBytes)
        unsafe parser = .allocate(capacity: 1)
        unsafe llhttp_init(parser, HTTP_REQUEST, Self.settings.pointer)
        unsafe parser.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        unsafe parser.deallocate()
    }

    /// Whether a request has begun and is not complete, so that the end of the input would cut it off.
    var isInsideRequest: Bool { phase == .body }

    /// Reads on from `position` and stops at the first thing that happened.
    func next(_ bytes: [UInt8], _ position: inout Int, end: Int) -> Event {
        switch phase {
        case .head:
            guard position < end else { return .needsMore }
            return readHead(bytes, &position, end: end)
        case .body:
            guard position < end else { return .needsMore }
            return readBody(bytes, &position, end: end)
        case .complete:
            phase = .head
            scanner.reset()
            return .complete
        case .refused:
            position = end
            return .refused(.malformed("The request is malformed."))
        }
    }

    private func readHead(_ bytes: [UInt8], _ position: inout Int, end: Int) -> Event {
        let start = position
        let verdict = scanner.scan(bytes.span.extracting(0..<end), from: start)
        switch verdict {
        case .refused(let refusal):
            return refuse(refusal)
        case .needsMore:
            position = end
        case .ends(let headEnd):
            position = headEnd
        }
        // llhttp judges a request line by its first bytes, the scanner by all of it: it waits for the verdict.
        guard scanner.isPastRequestLine else {
            requestLine.append(contentsOf: bytes[start..<position])
            return .needsMore
        }
        if !requestLine.isEmpty {
            let (code, _) = execute(requestLine, 0, requestLine.count)
            requestLine = []
            guard code == HPE_OK else { return refuse(Self.refusal(of: code)) }
        }
        let (code, _) = execute(bytes, start, position)
        switch code {
        case HPE_OK, HPE_PAUSED: break
        default: return refuse(Self.refusal(of: code))
        }
        guard case .ends = verdict else { return .needsMore }
        // The scanner and llhttp must agree where the header section ends: if not, two readers differ.
        guard isHeadComplete else { return refuse(.malformed("The request's header section is malformed.")) }
        return completeHead()
    }

    private func completeHead() -> Event {
        defer {
            text = []
            lines = []
            targetBytes = 0
            isHeadComplete = false
            overheadBytes = 0
        }
        phase = isMessageComplete ? .complete : .body
        let methodName = unsafe String(
            cString: llhttp_method_name(llhttp_method(rawValue: UInt32(llhttp_get_method(parser)))))
        guard let method = HTTPMethod(rawValue: methodName) else { return refuse(.methodUnknown) }
        do {
            let target = try HTTPTarget(parsing: text[..<targetBytes])
            var fields = HTTPFields()
            for line in lines {
                let name = String(decoding: text[line.nameStart..<line.nameEnd], as: UTF8.self)
                let value = String(decoding: text[line.nameEnd..<line.valueEnd], as: UTF8.self)
                fields.append(try HTTPFieldName(name), try HTTPFieldValue(value))
            }
            let minor = unsafe llhttp_get_http_minor(parser)
            // llhttp's reading of the length, not ours: it frames the body.
            let length = fields[.contentLength].map { _ in unsafe Int(clamping: parser.pointee.content_length) }
            let head = RequestHead.check(
                method: method, target: target, fields: fields, isVersion10: minor == 0, bodyBytes: length)
            switch head {
            case .success(let head): return .head(head)
            case .failure(let refused): return refuse(refused.refusal)
            }
        } catch {
            return refuse(.malformed(error.reason))
        }
    }

    private func readBody(_ bytes: [UInt8], _ position: inout Int, end: Int) -> Event {
        let (code, stop) = execute(bytes, position, end)
        position = stop
        switch code {
        case HPE_OK, HPE_PAUSED: break
        case HPE_USER: return refuse(.headersTooLarge)
        default: return refuse(Self.refusal(of: code))
        }
        if isMessageComplete { phase = .complete }
        guard body.isEmpty else {
            defer { body = [] }
            return .body(body)
        }
        return isMessageComplete ? next(bytes, &position, end: end) : .needsMore
    }

    /// Runs llhttp over a part of the bytes; it pauses after a message and says where that ended.
    private func execute(_ bytes: [UInt8], _ start: Int, _ end: Int) -> (llhttp_errno_t, Int) {
        if isMessageComplete {
            isMessageComplete = false
            unsafe llhttp_resume(parser)
        }
        return unsafe bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return (HPE_OK, end) }
            let first = unsafe base.assumingMemoryBound(to: CChar.self)
            var code = unsafe llhttp_execute(parser, first + start, end - start)
            guard code != HPE_OK else { return (code, end) }
            let stop = unsafe llhttp_get_error_pos(parser).map { unsafe $0 - first } ?? end
            if code == HPE_PAUSED_UPGRADE {
                // An offer to change the protocol may be ignored; this server always does.
                unsafe llhttp_resume_after_upgrade(parser)
                isMessageComplete = true
                code = HPE_PAUSED
            }
            return (code, stop)
        }
    }

    private func refuse(_ refusal: RequestRefusal) -> Event {
        phase = .refused
        text = []
        lines = []
        body = []
        return .refused(refusal)
    }

    private static func refusal(of code: llhttp_errno_t) -> RequestRefusal {
        switch code {
        case HPE_INVALID_METHOD: .methodUnknown
        case HPE_INVALID_VERSION, HPE_PAUSED_H2_UPGRADE: .versionUnknown
        case HPE_INVALID_CONTENT_LENGTH, HPE_UNEXPECTED_CONTENT_LENGTH:
            .malformed("The request's length is malformed or ambiguous.")
        case HPE_INVALID_TRANSFER_ENCODING: .malformed("The request's transfer coding is malformed.")
        case HPE_INVALID_CHUNK_SIZE: .malformed("A chunk's size is malformed.")
        default: .malformed("The request is malformed.")
        }
    }
}

// What llhttp calls.
extension RequestParser {
    /// The callbacks, shared by all parsers; written once, never freed.
    @safe private struct Settings: @unchecked Sendable {
        let pointer: UnsafeMutablePointer<llhttp_settings_t>
    }

    private static let settings: Settings = {
        let pointer = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
        unsafe llhttp_settings_init(pointer)
        unsafe pointer.pointee.on_url = { unsafe RequestParser.of($0)?.took(target: $1, $2) ?? -1 }
        unsafe pointer.pointee.on_header_field = { unsafe RequestParser.of($0)?.took(name: $1, $2) ?? -1 }
        unsafe pointer.pointee.on_header_value = { unsafe RequestParser.of($0)?.took(value: $1, $2) ?? -1 }
        unsafe pointer.pointee.on_header_value_complete = { unsafe RequestParser.of($0)?.endedValue() ?? -1 }
        unsafe pointer.pointee.on_chunk_extension_name = { unsafe RequestParser.of($0)?.tookOverhead($2) ?? -1 }
        unsafe pointer.pointee.on_chunk_extension_value = { unsafe RequestParser.of($0)?.tookOverhead($2) ?? -1 }
        unsafe pointer.pointee.on_headers_complete = { parser in
            // Without this an `Upgrade` would end the parse: an offer that this server ignores.
            unsafe parser?.pointee.upgrade = 0
            return unsafe RequestParser.of(parser)?.completedHead() ?? -1
        }
        unsafe pointer.pointee.on_body = { unsafe RequestParser.of($0)?.took(body: $1, $2) ?? -1 }
        unsafe pointer.pointee.on_message_complete = { unsafe RequestParser.of($0)?.completedMessage() ?? -1 }
        return unsafe Settings(pointer: pointer)
    }()

    private static func of(_ parser: UnsafeMutablePointer<llhttp_t>?) -> RequestParser? {
        guard let data = unsafe parser?.pointee.data else { return nil }
        return unsafe Unmanaged<RequestParser>.fromOpaque(data).takeUnretainedValue()
    }

    private func append(_ bytes: UnsafePointer<CChar>?, _ count: Int) {
        unsafe text.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private func took(target bytes: UnsafePointer<CChar>?, _ count: Int) -> Int32 {
        unsafe append(bytes, count)
        targetBytes += count
        return 0
    }

    private func took(name bytes: UnsafePointer<CChar>?, _ count: Int) -> Int32 {
        guard phase == .head else { return tookOverhead(count) }
        if isInValue || lines.isEmpty {
            isInValue = false
            lines.append(Line(nameStart: text.count, nameEnd: text.count, valueEnd: text.count))
        }
        unsafe append(bytes, count)
        lines[lines.count - 1].nameEnd = text.count
        lines[lines.count - 1].valueEnd = text.count
        return 0
    }

    private func took(value bytes: UnsafePointer<CChar>?, _ count: Int) -> Int32 {
        guard phase == .head else { return tookOverhead(count) }
        unsafe append(bytes, count)
        lines[lines.count - 1].valueEnd = text.count
        return 0
    }

    private func endedValue() -> Int32 {
        isInValue = true
        return 0
    }

    private func tookOverhead(_ count: Int) -> Int32 {
        overheadBytes += count
        return overheadBytes > maxHeadBytes ? Int32(HPE_USER.rawValue) : 0
    }

    private func completedHead() -> Int32 {
        isHeadComplete = true
        isInValue = false
        return 0
    }

    private func took(body bytes: UnsafePointer<CChar>?, _ count: Int) -> Int32 {
        unsafe body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
    }

    private func completedMessage() -> Int32 {
        isMessageComplete = true
        return Int32(HPE_PAUSED.rawValue)
    }
}
