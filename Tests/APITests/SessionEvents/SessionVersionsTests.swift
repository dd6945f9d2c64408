// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import API

struct SessionVersionsTests {
    /// What happens to one session, in a test's words.
    enum Step: Sendable {
        case heard(Int64, SessionVersions.Step)
        /// The row's version was read, when so much had been seen; whether it says that the database went back.
        case compared(Int64, seenBefore: Int64, Bool)
        case took(Int64, coversAll: Bool)
        case forget
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]
        let seen: Int64
        let isMissing: Bool
    }

    private static let cases = [
        Case(
            testDescription: "changes in order leave no gap",
            steps: [.took(3, coversAll: true), .heard(4, .relay), .heard(5, .relay)], seen: 5, isMissing: false),
        Case(
            testDescription: "what a snapshot covers is ignored",
            steps: [.took(3, coversAll: true), .heard(2, .ignore), .heard(3, .ignore)], seen: 3, isMissing: false),
        Case(
            testDescription: "a change that overtook another is told and leaves a gap",
            steps: [.took(3, coversAll: true), .heard(5, .relay)], seen: 3, isMissing: true),
        Case(
            testDescription: "the one that was overtaken is told too and closes the gap",
            steps: [.took(3, coversAll: true), .heard(5, .relay), .heard(4, .relay), .heard(5, .ignore)], seen: 5,
            isMissing: false),
        Case(
            testDescription: "a lost change is found by comparing",
            steps: [.took(3, coversAll: true), .compared(4, seenBefore: 3, false)], seen: 3, isMissing: true),
        Case(
            testDescription: "a comparison that began before a change was heard says nothing",
            steps: [.took(3, coversAll: true), .heard(4, .relay), .compared(3, seenBefore: 3, false)], seen: 4,
            isMissing: false),
        Case(
            testDescription: "a version that fell is a database that went back",
            steps: [.took(5, coversAll: true), .compared(4, seenBefore: 5, true)], seen: 5, isMissing: false),
        Case(
            testDescription: "a snapshot closes a gap",
            steps: [.took(3, coversAll: true), .heard(6, .relay), .took(5, coversAll: true)], seen: 6,
            isMissing: false),
        Case(
            testDescription: "a snapshot for a new page leaves the others waiting for what it holds",
            steps: [.took(3, coversAll: true), .took(4, coversAll: false)], seen: 3, isMissing: true),
        Case(
            testDescription: "what is still on its way to the others is told",
            steps: [.took(3, coversAll: true), .took(4, coversAll: false), .heard(4, .relay)], seen: 4,
            isMissing: false),
        Case(
            testDescription: "changes before the first snapshot are kept account of",
            steps: [.heard(4, .relay), .took(3, coversAll: true)], seen: 4, isMissing: false),
        Case(
            testDescription: "after forgetting, a version that was heard before counts again",
            steps: [.took(5, coversAll: true), .forget, .heard(5, .relay), .took(4, coversAll: true)], seen: 5,
            isMissing: false),
    ]

    @Test(arguments: cases) func `what was heard and what was read add up`(test: Case) {
        var versions = SessionVersions()
        let now = ContinuousClock.now
        for step in test.steps {
            switch step {
            case .heard(let version, let expected): #expect(versions.heard(version, now: now) == expected)
            case .compared(let version, let seen, let expected):
                #expect(versions.compared(version, seenBefore: seen, now: now) == expected)
            case .took(let version, let coversAll): versions.took(version, coversAll: coversAll, now: now)
            case .forget: versions.forget()
            }
        }
        #expect(versions.seen == test.seen)
        #expect(versions.isMissing(for: .zero, now: now) == test.isMissing)
        #expect(!versions.isMissing(for: .milliseconds(1), now: now), "only after its grace")
        #expect(versions.isMissing(for: .milliseconds(1), now: now + .milliseconds(1)) == test.isMissing)
    }

    @Test func `what is heard before a missing change is bounded`() {
        var versions = SessionVersions()
        let now = ContinuousClock.now
        versions.took(1, coversAll: true, now: now)
        for version in Int64(3)..<Int64(3 + SessionVersions.aheadLimit) {
            #expect(versions.heard(version, now: now) == .relay)
        }
        #expect(versions.heard(1000, now: now) == .snapshot)
        #expect(versions.isMissing(for: .zero, now: now))
        versions.took(1000, coversAll: true, now: now)
        #expect(versions.seen == 1000 && !versions.isMissing(for: .zero, now: now))
    }

    @Test func `in any order of arrival every change is told once and none is missing at the end`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var versions = SessionVersions()
            let now = ContinuousClock.now
            versions.took(10, coversAll: true, now: now)
            let arrivals = (Array(11...30) + Array(11...20)).map(Int64.init).shuffled(using: &generator)
            var told: [Int64] = []
            for version in arrivals where versions.heard(version, now: now) == .relay { told.append(version) }
            #expect(told.sorted() == Array(11...30))
            #expect(versions.seen == 30 && !versions.isMissing(for: .zero, now: now))
        }
    }
}
