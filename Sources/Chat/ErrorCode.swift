// SPDX-License-Identifier: Apache-2.0

/// Why a turn or another job failed for good, as clients see it. The raw value is stored and never changes.
package enum ErrorCode: String, Hashable, Sendable, CaseIterable {
    case providerAuth = "provider_auth"
    case providerQuota = "provider_quota"
    case rateLimited = "rate_limited"
    /// As many calls are under way as may be; a reason to wait, never an end.
    case providerBusy = "provider_busy"
    /// The provider failed so often that it is left alone for a while; a reason to wait, never an end.
    case providerDown = "provider_down"
    case contextLength = "context_length"
    case contentFilter = "content_filter"
    case providerUnavailable = "provider_unavailable"
    case providerTimeout = "provider_timeout"
    case providerBadResponse = "provider_bad_response"
    /// No first token by its deadline.
    case firstTokenTimeout = "first_token_timeout"
    /// Silence between tokens for too long.
    case idleTimeout = "idle_timeout"
    /// The whole run took too long.
    case deadlineExceeded = "deadline_exceeded"
    case internalError = "internal"
    case cancelled
    /// The job took down its worker three times.
    case poison

    /// The sentence a person reads; it names no provider, key or internal part.
    package var message: String {
        switch self {
        case .providerAuth: "The model's provider refused the API key. Check the key in the model's settings."
        case .providerQuota:
            "The account with the model's provider has no credit left or has reached its spending limit."
        case .rateLimited: "The model's provider is receiving too many requests. Please try again in a moment."
        case .providerBusy: "The model is busy. The answer begins as soon as it is free."
        case .providerDown: "The model's provider is failing. The answer begins as soon as it has recovered."
        case .contextLength:
            "The conversation is too long for this model. Shorten it or choose a model with a larger context."
        case .contentFilter: "The model's provider blocked this request or its answer."
        case .providerUnavailable:
            "The model's provider cannot be reached or is overloaded. Please try again in a moment."
        case .providerTimeout: "The model's provider did not answer in time. Please try again."
        case .providerBadResponse: "The model's provider sent an answer that could not be understood. Please try again."
        case .firstTokenTimeout: "The model did not begin to answer in time. Please try again."
        case .idleTimeout: "The model stopped in the middle of its answer. Please try again."
        case .deadlineExceeded: "The answer took longer than allowed and was ended."
        case .internalError: "Something went wrong on our side. Please try again."
        case .cancelled: "This was cancelled."
        case .poison: "This failed repeatedly in an unexpected way and will not be tried again by itself."
        }
    }

    /// Whether the same request may succeed later without anything being changed. Money and refusals never do.
    package var isRetryable: Bool {
        switch self {
        case .rateLimited, .providerBusy, .providerDown, .providerUnavailable, .providerTimeout, .providerBadResponse,
            .firstTokenTimeout, .idleTimeout, .deadlineExceeded, .internalError:
            true
        case .providerAuth, .providerQuota, .contextLength, .contentFilter, .cancelled, .poison:
            false
        }
    }
}
