// Appended records come back, in order and to the byte, over any number of restarts.

import Glibc
import Testing

@testable import Journal

@Suite("Round trip")
struct RoundTripTests {
    @Test("records come back in order with every field, over two restarts")
    func restarts() throws {
        let place = try TemporaryDirectory()
        let first = try place.open()
        let one = try first.appendAndWait(
            Record(
                type: 7, flags: 3, model: 0xDEAD_BEEF,
                payload: [
                    Bytes(copying: [1, 2, 3]), Bytes(copying: []), Bytes(copying: Array(4...20)),
                ]))
        let two = try first.appendAndWait(Record(type: 8, payload: []))
        #expect(one == Acknowledgement(position: 1, isDurable: true))
        #expect(two == Acknowledgement(position: 2, isDurable: true))
        first.close()

        var found: [Copy] = []
        let second = try place.open { found.append(Copy($0)) }
        #expect(
            found == [
                Copy(position: 1, type: 7, flags: 3, model: 0xDEAD_BEEF, payload: Array(1...20)),
                Copy(position: 2, type: 8, flags: 0, model: 0, payload: []),
            ])
        let three = try second.appendAndWait(Record(type: 9, payload: [Bytes(copying: [5])]))
        #expect(three.position == 4)  // the seal of the first close is the third
        second.close()

        found = []
        try place.open(from: 2) { found.append(Copy($0)) }.close()
        #expect(found.map(\.position) == [2, 4])
    }
}
