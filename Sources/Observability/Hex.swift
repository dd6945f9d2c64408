// SPDX-License-Identifier: Apache-2.0

/// Lower-case hexadecimal digits, as log lines and trace ids use them.
enum Hex {
    /// The digit of the low four bits.
    static func digit(_ nibble: UInt8) -> UInt8 {
        let value = nibble & 0x0F
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
