// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Observability

/// What the API needs to know of the environment, parsed and checked by the composition root.
package struct APIConfiguration: Sendable {
    /// Whether people log in.
    package enum Mode: Sendable, Hashable {
        /// They do.
        case multiple
        /// Requests without a token act as this user.
        case single(UserID)

        /// The word of `APP_MODE`.
        package var word: String {
            switch self {
            case .multiple: "multi"
            case .single: "single"
            }
        }

        /// Who acts without a token.
        package var singleUser: UserID? {
            if case .single(let id) = self { id } else { nil }
        }
    }

    /// Whether people log in.
    package var mode: Mode
    /// This program's version.
    package var version: String
    /// Who may call from another origin's page; `nil` when nobody may (`ENABLE_CORS` false).
    package var crossOrigin: CrossOriginPolicy?
    /// `METRICS_TOKEN`; `nil` or empty leaves `/metrics` open.
    package var metricsToken: Secret?
    /// Whether a personal model may point into private networks (`ALLOW_PRIVATE_PROVIDERS`).
    package var allowsPrivateProviders: Bool
    /// For a body whose route says nothing else.
    package var maxBodyBytes: Int
    /// Proxies of our own that every request passes, whose `X-Forwarded-For` counts (`TRUST_PROXY`).
    package var trustedProxies: Int
    /// What `POST /api/jobs` accepts.
    package var enqueueableKinds = EnqueueableKind.all

    /// The defaults of the environment's table; only mode and version have none.
    package init(
        mode: Mode, version: String, crossOrigin: CrossOriginPolicy? = CrossOriginPolicy(origins: ""),
        metricsToken: Secret? = nil, allowsPrivateProviders: Bool = false, maxBodyBytes: Int = 1 << 20,
        trustedProxies: Int = 0
    ) {
        self.mode = mode
        self.version = version
        self.crossOrigin = crossOrigin
        self.metricsToken = metricsToken
        self.allowsPrivateProviders = allowsPrivateProviders
        self.maxBodyBytes = maxBodyBytes
        self.trustedProxies = trustedProxies
    }
}
