// SPDX-License-Identifier: Apache-2.0
import Chat
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct IdentifierTests {
    @Test(
        arguments: [
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "01234567-89ab-7cde-8f01-23456789abcd", "01234567-89AB-7CDE-8F01-23456789ABCD",
        ])
    func `an id reads back in lower case`(text: String) throws {
        let id = try #require(JobID(text))
        #expect(id.description == text.lowercased())
        #expect(JobID(high: id.high, low: id.low) == id)
    }

    @Test(
        arguments: [
            "", "0", "0123456789ab7cde8f0123456789abcd", "{01234567-89ab-7cde-8f01-23456789abcd}",
            "01234567-89ab-7cde-8f01-23456789abcde", "01234567-89ab-7cde-8f01-23456789abc",
            "01234567-89ab-7cde-8f0123456789-abcd",
            " 1234567-89ab-7cde-8f01-23456789abcd", "0123456g-89ab-7cde-8f01-23456789abcd",
            "01234567-89ab-7cde-8f01-23456789abc ",
            "012345678-9ab-7cde-8f01-23456789abcd", "０1234567-89ab-7cde-8f01-23456789a",
            "+1234567-89ab-7cde-8f01-23456789abcd",
        ])
    func `any other form is refused`(text: String) {
        #expect(JobID(text) == nil)
    }

    @Test func `ids order byte by byte`() {
        let ids = [
            MessageID(high: 0, low: 1), .init(high: 0, low: .max), .init(high: 1, low: 0), .init(high: .max, low: 0),
        ]
        #expect(ids.shuffled().sorted() == ids)
        #expect(ids.map(\.description).sorted() == ids.map(\.description))
    }

    @Test func `generated ids have version, variant and the clock's time`() {
        let generator = UUIDv7Generator(millisecondsSince1970: { 0x0123_4567_89AB })
        for _ in 0..<100 {
            let id: SessionID = generator.next()
            #expect(id.high >> 16 == 0x0123_4567_89AB)
            #expect(id.high >> 12 & 0xF == 7)
            #expect(id.low >> 62 == 0b10)
        }
    }

    @Test func `ids rise whatever the clock does`() {
        let clock = Mutex(Int64(1_000_000))
        let generator = UUIDv7Generator(millisecondsSince1970: { clock.withLock { $0 } })
        var last = JobID(high: 0, low: 0)
        for step in 0..<20_000 {
            switch step {
            case 5_000: clock.withLock { $0 += 1 }
            case 6_000: clock.withLock { $0 -= 300_000 }
            case 7_000: generator.setOffset(.seconds(-300))
            case 8_000: clock.withLock { $0 = -5 }
            case 9_000: clock.withLock { $0 = 2_000_000 }
            case 10_000: clock.withLock { $0 = .max / 2 }
            default: break
            }
            let id: JobID = generator.next()
            #expect(id > last)
            last = id
        }
    }

    @Test func `the offset moves the time of ids`() {
        let generator = UUIDv7Generator(millisecondsSince1970: { 10_000 })
        generator.setOffset(.milliseconds(2_500))
        let later: JobID = generator.next()
        #expect(later.high >> 16 == 12_500)
        let other = UUIDv7Generator(millisecondsSince1970: { 10_000 })
        other.setOffset(.milliseconds(-2_500))
        let earlier: JobID = other.next()
        #expect(earlier.high >> 16 == 7_500)
    }

    @Test func `ids of concurrent callers are distinct`() async {
        let generator = UUIDv7Generator(millisecondsSince1970: { 10_000 })
        let ids = await withTaskGroup(of: [JobID].self) { group in
            for _ in 0..<8 { group.addTask { (0..<1_000).map { _ in generator.next() } } }
            return await group.reduce(into: Set<JobID>()) { $0.formUnion($1) }
        }
        #expect(ids.count == 8_000)
    }
}
