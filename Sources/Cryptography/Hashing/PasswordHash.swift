// SPDX-License-Identifier: Apache-2.0

/// The stored form of a password hash, the one all argon2 programs share:
/// `$argon2id$v=19$m=<KiB>,t=<passes>,p=1$<16 bytes of salt>$<32 bytes of hash>`, both in base64 without padding.
struct PasswordHash: Equatable {
    static let saltBytes = 16
    static let digestBytes = 32
    private static let prefix = "$argon2id$v=19$m="

    let cost: PasswordHasher.Cost
    let salt: [UInt8]
    let digest: [UInt8]

    init(cost: PasswordHasher.Cost, salt: [UInt8], digest: [UInt8]) {
        self.cost = cost
        self.salt = salt
        self.digest = digest
    }

    var text: String {
        Self.prefix + "\(cost.memoryBytes / 1024),t=\(cost.operations),p=1"
            + "$\(Base64.encode(salt))$\(Base64.encode(digest))"
    }

    /// `nil` for everything that `text` does not write, and for costs outside of what `Cost` allows.
    init?(text: String) {
        guard text.utf8.count < 128, text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let numbers = parts[0].split(separator: ",", omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers[1].hasPrefix("t="), numbers[2] == "p=1",
            let kibibytes = Int(numbers[0]), let operations = Int(numbers[1].dropFirst(2)),
            (1...(4 << 20)).contains(kibibytes),
            PasswordHasher.Cost.isValid(operations: operations, memoryBytes: kibibytes * 1024),
            let salt = Base64.decode(parts[1]), salt.count == Self.saltBytes,
            let digest = Base64.decode(parts[2]), digest.count == Self.digestBytes
        else { return nil }
        self.init(
            cost: PasswordHasher.Cost(operations: operations, memoryBytes: kibibytes * 1024), salt: salt,
            digest: digest)
        guard self.text == text else { return nil }
    }
}
