// SPDX-License-Identifier: Apache-2.0
import CLinux

/// What a registration wants to hear of. Nothing at all is a valid wish: hang-ups are still reported.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let read = Interest(rawValue: 1)
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
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// The peer ended its side (RDHUP) or the whole connection (HUP).
    package static let hangUp = Readiness(rawValue: 4)
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
    package let descriptor: Int32
    let generation: UInt32
}
