// SPDX-License-Identifier: Apache-2.0
package import JSON

extension RequestFields {
    /// Parameters of a generation, as a model's `defaults` and a chat request's `params` give them: checked, and only
    /// those this version knows, so that nothing unchecked is stored or sent to a provider. Null counts as absent.
    package mutating func optionalParameters(_ name: String) -> JSONObject? {
        optionalObject(name) { fields in
            var known = JSONObject()
            known["temperature"] = fields.optionalNumber("temperature", in: 0...2).map { .number($0) }
            known["topP"] = fields.optionalNumber("topP", in: 0...1).map { .number($0) }
            known["maxTokens"] = fields.optionalInteger("maxTokens", in: 1...10_000_000).map { .integer(Int64($0)) }
            known["presencePenalty"] = fields.optionalNumber("presencePenalty", in: -2...2).map { .number($0) }
            known["frequencyPenalty"] = fields.optionalNumber("frequencyPenalty", in: -2...2).map { .number($0) }
            known["seed"] = fields.optionalInteger("seed", in: Int.min...Int.max).map { .integer(Int64($0)) }
            known["stop"] = fields.optionalStrings("stop", upTo: 4, TextRule(length: 1...200))
                .map { .array($0.map { .string($0) }) }
            return known
        }
    }
}
