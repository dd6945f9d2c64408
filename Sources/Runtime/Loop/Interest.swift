// SPDX-License-Identifier: Apache-2.0
import CLinux

/// What a registration wants to hear of. Nothing at all is a valid wish: hang-ups are still reported.
package struct Interest: OptionSet, Sendable {
    /// See `OptionSet`; not the kernel's bits.
    package let rawValue: UInt8
    /// See `OptionSet`.
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Bytes to read, or a connection to accept.
    package static let read = Interest(rawValue: 1)
    /// Room to write, or the end of a non-blocking connect.
    package static let write = Interest(rawValue: 2)

    var bits: UInt32 {
        var bits = UInt32(CLINUX_RDHUP.rawValue)
        if contains(.read) { bits |= UInt32(CLINUX_IN.rawValue) }
        if contains(.write) { bits |= UInt32(CLINUX_OUT.rawValue) }
        return bits
    }
}

/// What the kernel says of a descriptor. Level-triggered: unhandled readiness is reported again.
package struct Readiness: OptionSet, Sendable {
    /// See `OptionSet`; not the kernel's bits.
    package let rawValue: UInt8
    /// See `OptionSet`.
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// A read would not block; also at the end of the stream.
    package static let readable = Readiness(rawValue: 1)
    /// A write would not block, or a connect has ended.
    package static let writable = Readiness(rawValue: 2)
    /// The peer ended its side (RDHUP) or the whole connection (HUP).
    package static let hangUp = Readiness(rawValue: 4)
    /// The descriptor has an error to fetch (ERR), reported whatever the interest is.
    package static let failed = Readiness(rawValue: 8)

    init(bits: UInt32) {
        var readiness: Readiness = []
        if bits & UInt32(CLINUX_IN.rawValue) != 0 { readiness.insert(.readable) }
        if bits & UInt32(CLINUX_OUT.rawValue) != 0 { readiness.insert(.writable) }
        if bits & UInt32(CLINUX_RDHUP.rawValue | CLINUX_HUP.rawValue) != 0 { readiness.insert(.hangUp) }
        if bits & UInt32(CLINUX_ERR.rawValue) != 0 { readiness.insert(.failed) }
        self = readiness
    }
}

/// A descriptor's place on a loop. The generation tells it from a later user of the same number.
package struct Registration: Sendable, Hashable {
    /// The number that was registered; a library may have closed and reused it meanwhile.
    package let descriptor: Int32
    let generation: UInt32
}
