// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
import Persistence
import Providers
import Synchronization

/// Runs title jobs: names a session after its first turn, beside the answer.
package struct TitleHandler: JobHandler {
    private let services: ChatServices

    /// Without state of its own.
    package init(services: ChatServices) {
        self.services = services
    }

    /// See ``JobHandler``. Touches nothing yet.
    package func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun {
        TitleRun(job: job, services: services)
    }
}

/// One try to name a session.
private final class TitleRun: JobRun {
    private static let answerLimitTokens = 40

    private let job: ClaimedJob
    private let services: ChatServices
    private let payload: TitlePayload?
    private let title = Mutex<String?>(nil)

    init(job: ClaimedJob, services: ChatServices) {
        self.job = job
        self.services = services
        payload = TitlePayload(json: job.payload)
    }

    var hadOutput: Bool { false }

    func perform() async throws(JobFailure) -> [UInt8]? {
        guard let payload else { throw JobFailure(.fatal, .internalError, "the job's payload cannot be read") }
        let settings = services.settings.current
        guard settings.titleEnabled else { return nil }
        let session: ChatSession?
        let message: PlacedMessage?
        let model: ResolvedModel
        do throws(PersistenceError) {
            session = try await services.sessions.find(payload.sessionID, user: job.userID)
            message = try await services.messages.find(payload.userMessageID, user: job.userID)
            model = try await services.models.resolve(
                settings.titleModelID ?? session?.modelID, for: job.userID, defaultID: settings.defaultModelID)
        } catch {
            throw JobFailure(reading: error)
        }
        // Gone, or named by its owner meanwhile: there is nothing to do.
        guard let session, let text = message?.message.content, session.titleSource != .user else { return nil }
        let made = try await ask(model, text).flatMap { Title.clean($0) } ?? Title.fallback(userText: text)
        title.withLock { $0 = made }
        return nil
    }

    func conclusion(of end: RunEnd) -> RunConclusion {
        guard case .completed = end, let payload, let title = title.withLock({ $0 }) else { return RunConclusion() }
        return RunConclusion(effect: .title(session: payload.sessionID, owner: job.userID, title: title))
    }

    /// The model's answer. One that the provider refuses for good leaves the fallback.
    private func ask(_ model: ResolvedModel, _ text: String) async throws(JobFailure) -> String? {
        let provider = try services.providers.provider(for: model)
        var request = ProviderRequest(
            endpoint: services.providers.endpoint(for: model), model: model.fields.model,
            messages: Title.prompt(userText: text), limits: services.limits())
        request.maxTokens = Self.answerLimitTokens
        do throws(ProviderError) {
            return try await provider.admit(request).complete().content
        } catch {
            let failure = JobFailure(error)
            if failure.class == .fatal { return nil }
            if job.attempt >= job.maximumAttempts && failure.class == .retry { return nil }
            throw failure
        }
    }
}
