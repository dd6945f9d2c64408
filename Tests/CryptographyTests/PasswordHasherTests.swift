// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import Cryptography

@Suite(.timeLimit(.minutes(1)))
struct PasswordHasherTests {
    private let hasher = PasswordHasher(cost: .init(operations: 1, memoryBytes: 8192))

    @Test func `the right password is accepted and others are not`() throws {
        let hash = try hasher.hash("correct horse")
        #expect(hash.hasPrefix("$argon2id$v=19$m=8,t=1,p=1$"))
        #expect(!hash.contains("horse"))
        #expect(try hasher.verify("correct horse", against: hash))
        for wrong in ["", "correct horse ", "Correct horse", "correct", "correct horse\u{0}"] {
            #expect(try !hasher.verify(wrong, against: hash))
        }
    }

    @Test(arguments: ["", "\u{0}", "a\u{0}b", "пароль 😀"])
    func `any text can be a password, all of it counts`(password: String) throws {
        let hash = try hasher.hash(password)
        #expect(try hasher.verify(password, against: hash))
        #expect(try !hasher.verify(password + "x", against: hash))
    }

    @Test func `a long password counts to its end`() throws {
        let password = String(repeating: "x", count: 100_000)
        #expect(try !hasher.verify(password + "y", against: hasher.hash(password + "x")))
    }

    @Test func `each hash has its own salt`() throws {
        #expect(try hasher.hash("same") != hasher.hash("same"))
    }

    @Test func `a hash of another cost is verified and should be replaced`() throws {
        let stronger = PasswordHasher(cost: .init(operations: 2, memoryBytes: 16_384))
        let hash = try hasher.hash("password")
        #expect(try stronger.verify("password", against: hash))
        #expect(stronger.needsRehash(hash))
        #expect(!hasher.needsRehash(hash))
        #expect(hasher.needsRehash("nonsense"))
    }

    @Test(arguments: [
        "", "plain", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$!!!!",
        "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19\u{0}", "$argon2id$" + String(repeating: "a", count: 200),
    ])
    func `a stored text that is no hash of ours is an error, not a wrong password`(stored: String) {
        #expect(throws: CryptographyError(.passwordHashMalformed)) { try hasher.verify("password", against: stored) }
    }

    @Test(arguments: [
        ("m=8,", "m=08,"), ("m=8,", "m=7,"), ("m=8,", "m=4194305,"), ("m=8,", "m=99999999999999999999,"),
        ("m=8,", "m=-8,"), ("t=1,", "t=0,"), ("t=1,", "t=1001,"), ("t=1,", "t=+1,"), ("p=1", "p=2"), ("v=19", "v=16"),
        ("$argon2id", "$argon2i"), (",p=1", ""), ("p=1$", "p=1$$"), ("AAAA$", "AAAB$"), ("$AAAA", "$AAA"),
        ("$m", "$\u{301}m"),
    ])
    func `a stored hash has one spelling and a cost within limits`(part: String, replacement: String) {
        let stored = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        #expect(PasswordHash(text: stored)?.text == stored)
        #expect(PasswordHash(text: stored.replacing(part, with: replacement, maxReplacements: 1)) == nil)
    }

    @Test func `hashes are those of other argon2 programs`() throws {
        // Made by libsodium's crypto_pwhash_str, which this module does not call.
        let foreign = "$argon2id$v=19$m=8,t=1,p=1$jMbdkY08a7lFUY2LieqLbw$6ax43jsR22KEA+pUM7Gqz5JomG5M5ZKU50lHtg4SZC4"
        #expect(try hasher.verify("correct horse", against: foreign))
        #expect(try !hasher.verify("wrong horse", against: foreign))
        #expect(!hasher.needsRehash(foreign))
    }

    @Test func `an unknown user is refused`() throws {
        #expect(try !hasher.verifyUnknownUser("password"))
    }

    @Test func `the default cost is what libsodium advises for people who wait`() {
        #expect(PasswordHasher.Cost.interactive == .init(operations: 2, memoryBytes: 64 << 20))
    }

    @Test func `a shortage of memory is not a wrong password and can be tried again`() async {
        await #expect(processExitsWith: .success) {
            // Below what the process has already plus one hash of 4 GiB.
            var limit = rlimit(rlim_cur: 4 << 30, rlim_max: 4 << 30)
            #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            let greedy = PasswordHasher(cost: .init(operations: 1, memoryBytes: 4 << 30))
            let stored =
                "$argon2id$v=19$m=4194304,t=1,p=1$"
                + "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            let outcomes = [
                Self.code { () throws(CryptographyError) in _ = try greedy.hash("password") },
                Self.code { () throws(CryptographyError) in _ = try greedy.verify("password", against: stored) },
                Self.code { () throws(CryptographyError) in _ = try greedy.verifyUnknownUser("password") },
            ]
            exit(outcomes.allSatisfy { $0 == .outOfMemory } ? EXIT_SUCCESS : EXIT_FAILURE)
        }
        #expect(CryptographyError(.outOfMemory).isRetryable && !CryptographyError(.boxTampered).isRetryable)
    }

    private static func code(_ body: () throws(CryptographyError) -> Void) -> CryptographyError.Code? {
        do throws(CryptographyError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}
