// SPDX-License-Identifier: Apache-2.0

/// A place in the token log of one job: what a client sends back as `Last-Event-ID`.
///
/// Cursors rise strictly over a job's life, because leases do and `sequence` does within a lease; readers take what is
/// greater than their cursor. What is written before any lease has lease 0.
package struct StreamCursor: Hashable, Sendable {
    /// The lease under which the event was written; 0 before any.
    package let lease: Int64

    /// Dense from 1 within a lease; 0 stands before its first event.
    package let sequence: Int32

    /// Before every event.
    package static let beginning = StreamCursor(lease: 0, sequence: 0)

    /// Negative parts are a programmer's error and trap.
    package init(lease: Int64, sequence: Int32) {
        precondition(lease >= 0 && sequence >= 0, "a cursor has no negative part")
        self.lease = lease
        self.sequence = sequence
    }

    /// The place of the event after this one within the lease. Nothing follows the last place there is, which clients may
    /// name: it stays.
    package var next: StreamCursor {
        sequence == .max ? self : StreamCursor(lease: lease, sequence: sequence + 1)
    }
}

extension StreamCursor: Comparable {
    /// Orders by lease, then by sequence.
    package static func < (left: Self, right: Self) -> Bool {
        (left.lease, left.sequence) < (right.lease, right.sequence)
    }
}

extension StreamCursor: LosslessStringConvertible {
    /// Parses `lease.sequence`: two decimal numbers in their only spelling, without signs, spaces or leading zeros.
    /// `nil` for anything else, also for what exceeds 63 and 31 bits.
    package init?(_ description: String) {
        let parts = description.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2,
            let lease = Self.decimal(parts[0]),
            let wideSequence = Self.decimal(parts[1]), let sequence = Int32(exactly: wideSequence)
        else { return nil }
        self.init(lease: lease, sequence: sequence)
    }

    /// `lease.sequence`, the SSE `id:`.
    package var description: String { "\(lease).\(sequence)" }

    private static func decimal(_ digits: Substring.UTF8View) -> Int64? {
        guard let first = digits.first, digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) = product.addingReportingOverflow(Int64(byte - 0x30))
            guard !productOverflows, !sumOverflows else { return nil }
            value = sum
        }
        return value
    }
}
