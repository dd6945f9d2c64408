// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Testing

@testable import Worker

struct PlaceObservationTests {
    private let worker = WorkerID(high: 1, low: 2)
    private let start = ContinuousClock.now

    /// Seconds and counters of looks, and the looks at which the places go back.
    @Test(
        arguments: [
            ([(0, 5), (14.9, 5)], []),
            ([(0, 5), (15, 5)], [1]),
            ([(0, 5), (10, 6), (24, 6), (25, 6)], [3]),
            // That its row was taken away is no beat, and that it has none from the start neither.
            ([(0, 5), (3, -1), (14, -1), (15, -1)], [3]),
            ([(0, -1), (15, -1)], [1]),
            // One that comes back lives.
            ([(0, 5), (3, -1), (10, 1), (20, 1), (25, 1)], [4]),
        ] as [([(Double, Int64)], [Int])])
    func `places go back fifteen seconds after the last beat`(looks: [(Double, Int64)], released: [Int]) {
        var observation = PlaceObservation()
        var found: [Int] = []
        for (index, look) in looks.enumerated() {
            let holder = PlaceHolder(model: ModelID(high: 3, low: 4), worker: worker, places: 1, beat: look.1)
            let silent = observation.observe([holder], at: start + .seconds(look.0))
            if silent[worker] != nil { found.append(index) }
        }
        #expect(found == released)
    }
}
