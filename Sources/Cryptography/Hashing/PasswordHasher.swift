// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Password hashes by argon2id (libsodium), in the usual text form that holds salt and cost.
///
/// **Blocking**: each call computes for tens of milliseconds and more, and holds `cost.memoryBytes` (64 MiB by
/// default) while it does. Call it on the blocking pool, whose thread count then bounds the memory: four
/// threads, 256 MiB.
package struct PasswordHasher: Sendable {
    /// What one hash costs whoever guesses, and us.
    package struct Cost: Sendable, Hashable {
        /// Passes over the memory, 1 to 1000.
        package let operations: Int
        /// 8 KiB to 4 GiB, in whole KiB.
        package let memoryBytes: Int

        /// Traps outside of these ranges: a constant in the source, not an input.
        package init(operations: Int, memoryBytes: Int) {
            precondition(Self.isValid(operations: operations, memoryBytes: memoryBytes), "no cost argon2id allows")
            self.operations = operations
            self.memoryBytes = memoryBytes
        }

        /// libsodium's limits for people who wait: 2 passes over 64 MiB.
        package static let interactive = Cost(
            operations: Int(crypto_pwhash_OPSLIMIT_INTERACTIVE), memoryBytes: Int(crypto_pwhash_MEMLIMIT_INTERACTIVE))

        static func isValid(operations: Int, memoryBytes: Int) -> Bool {
            (1...1000).contains(operations) && (8192...(4 << 30)).contains(memoryBytes) && memoryBytes % 1024 == 0
        }
    }

    private let cost: Cost

    /// New hashes get this cost; older ones are still verified, with theirs.
    package init(cost: Cost = .interactive) { self.cost = cost }

    /// A hash with a new salt, to be stored: ASCII, below 128 characters.
    /// - Throws: `outOfMemory`.
    package func hash(_ password: String) throws(CryptographyError) -> String {
        let salt = RandomBytes.generate(count: PasswordHash.saltBytes)
        let digest = try Self.derive(password, salt: salt, cost: cost)
        return PasswordHash(cost: cost, salt: salt, digest: digest).text
    }

    /// Whether the password is the one that was hashed. libsodium's own function answers a shortage of memory as
    /// it answers a wrong password, so the hash is computed and compared (in constant time) here.
    /// - Throws: `outOfMemory`; `passwordHashMalformed` when the stored text is no hash of ours.
    package func verify(_ password: String, against hash: String) throws(CryptographyError) -> Bool {
        guard let stored = PasswordHash(text: hash) else { throw CryptographyError(.passwordHashMalformed) }
        return ConstantTime.areEqual(try Self.derive(password, salt: stored.salt, cost: stored.cost), stored.digest)
    }

    /// For a user that does not exist: does the work of `verify` with a hash of the current cost, so that the
    /// time of a login does not tell which names are taken.
    /// - Returns: always false.
    /// - Throws: `outOfMemory`, as `verify` would.
    package func verifyUnknownUser(_ password: String) throws(CryptographyError) -> Bool {
        let salt = [UInt8](repeating: 0, count: PasswordHash.saltBytes)
        _ = try Self.derive(password, salt: salt, cost: cost)
        return false
    }

    /// Whether a hash that was just verified should be replaced, because the cost has changed since. Cheap.
    package func needsRehash(_ hash: String) -> Bool { PasswordHash(text: hash)?.cost != cost }

    private static func derive(
        _ password: String, salt: [UInt8], cost: Cost
    ) throws(CryptographyError) -> [UInt8] {
        Sodium.start()
        let bytes = password.utf8.map { CChar(bitPattern: $0) }
        var digest = [UInt8](repeating: 0, count: PasswordHash.digestBytes)
        let failure = unsafe crypto_pwhash(
            &digest, UInt64(digest.count), bytes, UInt64(bytes.count), salt, UInt64(cost.operations),
            cost.memoryBytes, crypto_pwhash_ALG_ARGON2ID13)
        // All other reasons are excluded by the types.
        guard failure == 0 else { throw CryptographyError(.outOfMemory) }
        return digest
    }
}
