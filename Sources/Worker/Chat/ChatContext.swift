// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import Providers
import Tokenization

/// What is asked of the provider for one turn, and how it was counted.
struct ChatContext: Sendable {
    let model: ResolvedModel
    let provider: ProtectedProvider
    let request: ProviderRequest
    let plan: ContextPlan

    /// Loads the thread and fits it into the model's window.
    ///
    /// - Throws: `fatal` for what repeating cannot mend: a message that is gone, a thread that does not fit.
    static func load(
        _ payload: ChatPayload, of job: ClaimedJob, with services: ChatServices
    ) async throws(JobFailure) -> ChatContext {
        let thread: TurnThread?
        let model: ResolvedModel
        do {
            thread = try await self.thread(payload, of: job, with: services)
            model = try await services.models.resolve(
                payload.modelID ?? thread?.modelID, for: job.userID,
                defaultID: services.settings.current.defaultModelID)
        } catch {
            throw JobFailure(reading: PersistenceError(error))
        }
        guard let thread else { throw JobFailure(.fatal, .cancelled, "the session or the message is gone") }
        let plan = try plan(thread, model, payload, services)
        let provider = try services.providers.provider(for: model)
        let request = request(plan, model, payload, services)
        return ChatContext(model: model, provider: provider, request: request, plan: plan)
    }

    /// The one that came with the claim, or else the one that is in the database now.
    private static func thread(
        _ payload: ChatPayload, of job: ClaimedJob, with services: ChatServices
    ) async throws(PersistenceError) -> TurnThread? {
        if let thread = job.attachment as? TurnThread, thread.belongs(to: payload, of: job) { return thread }
        return try await services.messages.thread(
            endingAt: payload.userMessageID, with: payload.sessionID, user: job.userID)
    }

    private static func plan(
        _ thread: TurnThread, _ model: ResolvedModel, _ payload: ChatPayload, _ services: ChatServices
    ) throws(JobFailure) -> ContextPlan {
        let limits = services.catalogue.limits(
            for: model.fields.model, contextWindowTokens: model.fields.contextLimitTokens, pricing: nil)
        let counted = thread.messages.compactMap { stored -> CountedMessage? in
            // A reply without text (failed, or still to come) says nothing to the model.
            if stored.role == .assistant && stored.content.isEmpty && stored.parts.isEmpty { return nil }
            let message = ChatMessage(role: stored.role, content: stored.content, parts: stored.parts)
            return CountedMessage(
                id: stored.id, message: message,
                tokens: services.counter.countTokens(in: message, imageCost: limits.imageCost))
        }
        let maximum = parameter("maxTokens", payload, model)?.integerValue.map { Int($0) }
        let budget = ContextBudget(
            modelLimitTokens: limits.contextWindowTokens, maxOutputTokens: maximum ?? model.fields.maximumOutputTokens)
        do throws(ContextError) {
            return try budget.plan(
                messages: counted, instructions: thread.instructions.map { services.counter.countedText($0) },
                summary: nil, omissionNoteTokens: services.counter.countedText(ContextBudget.omissionNote).tokens)
        } catch {
            throw JobFailure(.fatal, .contextLength, error.message)
        }
    }

    private static func request(
        _ plan: ContextPlan, _ model: ResolvedModel, _ payload: ChatPayload, _ services: ChatServices
    ) -> ProviderRequest {
        var request = ProviderRequest(
            endpoint: services.providers.endpoint(for: model), model: model.fields.model, messages: plan.messages,
            limits: services.limits())
        request.promptTokens = plan.promptTokens
        request.temperature = parameter("temperature", payload, model)?.doubleValue
        request.topP = parameter("topP", payload, model)?.doubleValue
        request.maxTokens =
            parameter("maxTokens", payload, model)?.integerValue.map { Int($0) }
            ?? model.fields.maximumOutputTokens
        request.stop = parameter("stop", payload, model)?.arrayValue?.compactMap(\.stringValue) ?? []
        var extra = JSONObject()
        for (name, member) in [
            ("presencePenalty", "presence_penalty"), ("frequencyPenalty", "frequency_penalty"), ("seed", "seed"),
        ] {
            if let value = parameter(name, payload, model), !value.isNull { extra[member] = value }
        }
        request.extraParameters = extra
        return request
    }

    /// The turn's own value, else the model's default.
    private static func parameter(_ name: String, _ payload: ChatPayload, _ model: ResolvedModel) -> JSONValue? {
        payload.parameters[name] ?? model.fields.defaults[name]
    }
}
