// SPDX-License-Identifier: Apache-2.0
import Jobs
import Observability

/// Everything the process is told from outside, read once and valid as a whole.
struct Configuration: Sendable {
    let host: String
    let port: UInt16
    /// nil is off.
    let workerPort: UInt16?
    let databaseURL: Secret?
    let poolSize: Int
    let dataDirectory: String
    let isSingleUser: Bool
    let logLevel: LogLevel
    let encryptionKey: Secret?
    let jwtSecret: Secret?
    let metricsToken: Secret?
    let corsEnabled: Bool
    let corsOrigin: String?
    /// Proxies of our own in front of the API; 0 when `X-Forwarded-For` does not count.
    let trustedProxies: Int
    let workerSlots: Int
    let shutdownGrace: Duration
    let publishInterval: Duration
    let heartbeatInterval: Duration
    let clientStall: Duration
    let eventRetention: Duration
    let jobRetention: Duration
    let rateLimitDelay: Duration
    let retryDelay: Duration
    let providerIdle: Duration
    let providerFirstToken: Duration
    let providerTimeout: Duration
    let allowsPrivateProviders: Bool
    let emitsUsage: Bool
    let usageFromProviderOnly: Bool
    let rateLimit: Int
    let addressRateLimit: Int
    let rateLimitWindow: Duration
    let authenticationRateLimit: Int
    let openAIKey: Secret?
    let openAIBaseURL: String?
    let openAIModels: [String]
    let openAILimits: ProviderLimits

    /// - Throws: ``ConfigurationError`` with every problem.
    init(environment: [String: String]) throws(ConfigurationError) {
        var reader = EnvironmentReader(environment)
        host = reader.text(.host)
        port = UInt16(reader.integer(.port))
        let workerPort = reader.integer(.workerPort)
        self.workerPort = workerPort == 0 ? nil : UInt16(workerPort)
        databaseURL = reader.secret(.databaseURL)
        poolSize = reader.integer(.poolSize)
        dataDirectory = reader.text(.data)
        isSingleUser = reader.text(.mode) == "single"
        logLevel = LogLevel(name: reader.text(.logLevel)) ?? .info
        encryptionKey = reader.secret(.encryptionKey)
        jwtSecret = reader.secret(.jwtSecret)
        metricsToken = reader.secret(.metricsToken)
        corsEnabled = reader.boolean(.enableCORS)
        corsOrigin = reader.optional(.corsOrigin)
        trustedProxies = reader.proxies(.trustProxy)
        workerSlots = reader.integer(.slots)
        shutdownGrace = reader.duration(.shutdownGrace)
        publishInterval = reader.duration(.publishInterval)
        heartbeatInterval = reader.duration(.heartbeatInterval)
        clientStall = reader.duration(.clientStall)
        eventRetention = .seconds(3600 * reader.integer(.eventRetention))
        jobRetention = .seconds(3600 * reader.integer(.jobRetention))
        rateLimitDelay = reader.duration(.rateLimitDelay)
        retryDelay = reader.duration(.retryDelay)
        providerIdle = reader.duration(.providerIdle)
        let firstToken = reader.duration(.providerFirstToken)
        providerFirstToken = firstToken == .zero ? providerIdle : firstToken
        providerTimeout = reader.duration(.providerTimeout)
        allowsPrivateProviders = reader.boolean(.allowPrivateProviders)
        emitsUsage = reader.boolean(.usageEmit)
        usageFromProviderOnly = reader.boolean(.usageProviderOnly)
        rateLimit = reader.integer(.rateLimit)
        addressRateLimit = reader.integer(.addressRateLimit)
        rateLimitWindow = reader.duration(.rateLimitWindow)
        authenticationRateLimit = reader.integer(.authenticationRateLimit)
        openAIKey = reader.secret(.openAIKey)
        openAIBaseURL = reader.optional(.openAIBaseURL)
        openAIModels = reader.text(.openAIModels).split(separator: ",").map(\.trimmingSpaces).filter { !$0.isEmpty }
        func limit(_ number: Int) -> Int? { number == 0 ? nil : number }
        openAILimits = ProviderLimits(
            maximumConcurrent: limit(reader.integer(.openAIMaximumConcurrent)),
            requestsPerMinute: limit(reader.integer(.openAIRequestsPerMinute)),
            tokensPerMinute: limit(reader.integer(.openAITokensPerMinute)))
        let allowsRemote = reader.boolean(.allowRemote)
        if isSingleUser && !allowsRemote && !Self.isLoopback(host) {
            reader.refuse(
                "HOST is not a loopback address: single-user mode asks for no token; set APP_MODE=multi, or "
                    + "SINGLE_USER_ALLOW_REMOTE=true if that is meant")
        }
        if !reader.problems.isEmpty { throw ConfigurationError(problems: reader.problems) }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}

/// What is wrong with the environment, one sentence each.
struct ConfigurationError: Error, CustomStringConvertible {
    let problems: [String]
    var description: String { problems.joined(separator: "\n") }
}
