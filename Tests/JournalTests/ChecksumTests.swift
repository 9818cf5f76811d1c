// CRC32C against published values, and the instruction against the tables.

import CKernels
import SimulatedMachine
import Testing

@testable import Journal

@Suite("CRC32C")
struct ChecksumTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { Checksum.of($0) } }

    @Test("the vectors of RFC 3720, appendix B.4, and the check value of the CRC catalogue")
    func vectors() {
        #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(checksum(Array(0..<32)) == 0x46DD_794E)
        #expect(checksum(Array((0..<32).reversed())) == 0x113F_DB5C)
        #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(checksum([]) == 0)
    }

    @Test("instruction and tables agree at every length and alignment")
    func bothWays() {
        var random = SeededGenerator(seed: 3)
        let bytes = [UInt8].random(count: 20_000, using: &random)
        bytes.withUnsafeBytes { bytes in
            for start in 0..<9 {
                for count in Array(0..<80) + [6143, 6144, 6145, 12_288, 13_000, 19_000] {
                    let part = bytes.baseAddress.map { $0 + start }
                    #expect(paramd_crc32c(7, part, count) == paramd_crc32c_portable(7, part, count))
                }
            }
        }
    }

    @Test("the checksum of two pieces is that of the pieces joined")
    func pieces() {
        var random = SeededGenerator(seed: 4)
        let bytes = [UInt8].random(count: 15_000, using: &random)
        for cut in [0, 1, 7, 8, 6144, 9999, 15_000] {
            var running = Checksum()
            bytes[..<cut].withUnsafeBytes { running.add($0) }
            bytes[cut...].withUnsafeBytes { running.add($0) }
            #expect(running.value == checksum(bytes))
        }
    }
}
