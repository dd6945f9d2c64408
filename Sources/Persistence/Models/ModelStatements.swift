// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Postgres

/// Provider configurations. `owner` is whoever may change a row: a person, or nobody for the system's.
enum ModelStatements {
    /// What a person sees: their own and the system's. Index: models_user_id_name_key, once for each.
    static func list(visibleTo user: UserID) -> SQL {
        """
        SELECT id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
               max_output_tokens, defaults, input_per_million, output_per_million,
               max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        FROM models WHERE user_id = \(user) OR user_id IS NULL
        ORDER BY lower(name), id
        """
    }

    /// Index: models_pkey.
    static func find(_ id: ModelID, visibleTo user: UserID) -> SQL {
        """
        SELECT id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
               max_output_tokens, defaults, input_per_million, output_per_million,
               max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        FROM models WHERE id = \(id) AND (user_id = \(user) OR user_id IS NULL)
        """
    }

    /// By name, else by the provider's own name of the model; a person's own before the system's.
    /// Index: models_user_id_name_key, once for each.
    static func find(named name: String, visibleTo user: UserID) -> SQL {
        """
        SELECT id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
               max_output_tokens, defaults, input_per_million, output_per_million,
               max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        FROM models WHERE (user_id = \(user) OR user_id IS NULL) AND (name = \(name) OR model = \(name))
        ORDER BY (name = \(name)) DESC, user_id NULLS LAST, created_at, id LIMIT 1
        """
    }

    /// Locks the row for an update of it. Index: models_pkey.
    static func lock(_ id: ModelID, owner: UserID?) -> SQL {
        """
        SELECT id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
               max_output_tokens, defaults, input_per_million, output_per_million,
               max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        FROM models WHERE id = \(id) AND user_id IS NOT DISTINCT FROM \(owner) FOR UPDATE
        """
    }

    /// Index: models_user_id_name_key keeps names unique, NULL owners included.
    static func insert(_ id: ModelID, owner: UserID?, _ fields: ModelFields, sealedKey: [UInt8]?) -> SQL {
        """
        INSERT INTO models (id, user_id, name, provider, api_url, model, sealed_api_key, supports_images,
                            context_limit, max_output_tokens, defaults, input_per_million, output_per_million,
                            max_concurrent, requests_per_minute, tokens_per_minute)
        VALUES (\(id), \(owner), \(fields.name), \(fields.provider.rawValue), \(fields.apiURL), \(fields.model),
                \(sealedKey), \(fields.supportsImages), \(fields.contextLimitTokens), \(fields.maximumOutputTokens),
                \(StoredJSON.text(.object(fields.defaults))), \(fields.prices?.inputPerMillion),
                \(fields.prices?.outputPerMillion), \(fields.limits.maximumConcurrent),
                \(fields.limits.requestsPerMinute), \(fields.limits.tokensPerMinute))
        RETURNING id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
                  max_output_tokens, defaults, input_per_million, output_per_million,
                  max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        """
    }

    /// Writes all fields of a row that the transaction holds. Index: models_pkey.
    static func update(_ id: ModelID, owner: UserID?, _ fields: ModelFields, sealedKey: [UInt8]?) -> SQL {
        """
        UPDATE models
        SET name = \(fields.name), provider = \(fields.provider.rawValue), api_url = \(fields.apiURL),
            model = \(fields.model), sealed_api_key = \(sealedKey), supports_images = \(fields.supportsImages),
            context_limit = \(fields.contextLimitTokens), max_output_tokens = \(fields.maximumOutputTokens),
            defaults = \(StoredJSON.text(.object(fields.defaults))),
            input_per_million = \(fields.prices?.inputPerMillion),
            output_per_million = \(fields.prices?.outputPerMillion),
            max_concurrent = \(fields.limits.maximumConcurrent),
            requests_per_minute = \(fields.limits.requestsPerMinute),
            tokens_per_minute = \(fields.limits.tokensPerMinute), updated_at = now()
        WHERE id = \(id) AND user_id IS NOT DISTINCT FROM \(owner)
        RETURNING id, user_id, name, provider, api_url, model, sealed_api_key, supports_images, context_limit,
                  max_output_tokens, defaults, input_per_million, output_per_million,
                  max_concurrent, requests_per_minute, tokens_per_minute, created_at, updated_at
        """
    }

    /// Sessions that use a model; a person's model only in their own. Index: sessions_model.
    static func countUses(_ id: ModelID, owner: UserID?) -> SQL {
        """
        SELECT count(*) FROM sessions WHERE model_id = \(id) AND (\(owner)::uuid IS NULL OR user_id = \(owner))
        """
    }

    /// Index: models_pkey.
    static func delete(_ id: ModelID, owner: UserID?) -> SQL {
        """
        DELETE FROM models WHERE id = \(id) AND user_id IS NOT DISTINCT FROM \(owner)
        """
    }
}
