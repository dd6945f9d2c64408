// SPDX-License-Identifier: Apache-2.0
import CCurl
import HTTP

extension EasyHandle {
    /// Sets what a request is and everything that libcurl must not do by itself.
    mutating func configure(_ request: HTTPClientRequest, _ configuration: HTTPClientConfiguration) -> Bool {
        setBehaviour(configuration) && setPolicy(request.addressPolicy) && setMethod(request)
            && set(CURLOPT_URL, request.url)
            && set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.limits.connect))
            && setFieldLines(Self.lines(of: request.fields))
    }

    private func setBehaviour(_ configuration: HTTPClientConfiguration) -> Bool {
        var isSet =
            set(CURLOPT_NOSIGNAL, 1)
            // A removed transfer must not wait for its thread in getaddrinfo.
            && set(CURLOPT_QUICK_EXIT, 1)
            && set(CURLOPT_PROTOCOLS_STR, "http,https")
            && set(CURLOPT_FOLLOWLOCATION, 0)
            && set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
            // Waiting to see whether a connection can be shared would put streams to one host in line: libcurl lets
            // go of those that wait one by one.
            && set(CURLOPT_PIPEWAIT, 0)
            && set(CURLOPT_TCP_KEEPALIVE, 1)
            && set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
            && set(CURLOPT_NOPROGRESS, 1)
            && set(CURLOPT_SSL_VERIFYPEER, 1)
            && set(CURLOPT_SSL_VERIFYHOST, 2)
            && set(CURLOPT_USERAGENT, configuration.userAgent)
        if let file = configuration.certificateAuthorityFile { isSet = isSet && set(CURLOPT_CAINFO, file) }
        return isSet
    }

    private func setPolicy(_ policy: AddressPolicy) -> Bool {
        // An empty proxy is none, whatever the environment says.
        policy == .any || set(CURLOPT_PROXY, "")
    }

    private func setMethod(_ request: HTTPClientRequest) -> Bool {
        if let body = request.body {
            guard set(CURLOPT_POST, 1), setBody(body) else { return false }
            return request.method == .post || set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
        switch request.method {
        case .get: return set(CURLOPT_HTTPGET, 1)
        case .head: return set(CURLOPT_NOBODY, 1)
        case .post: return set(CURLOPT_POST, 1) && setBody([])
        case .put, .patch, .delete, .options: return set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
    }

    private static func lines(of fields: HTTPFields) -> [String] {
        // libcurl drops a line with an empty value unless it ends in a semicolon instead of a colon.
        var lines = fields.filter { $0.name != .expect }
            .map { $0.value.text.isEmpty ? "\($0.name.text);" : "\($0.name.text): \($0.value.text)" }
        lines.append("Expect:")
        if fields[.contentType] == nil { lines.append("Content-Type:") }
        return lines
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        // 0 would mean libcurl's own default.
        max(1, Int(clamping: Int128(duration / .milliseconds(1))))
    }
}
