// The location of external test data, and how to read it.

import Foundation

/// A folder of `Corpora`.
struct Corpus {
    let folder: URL

    init(_ path: String) {
        folder = Bundle.module.bundleURL.appending(path: "Corpora").appending(path: path)
    }

    /// Names of the files that end in `suffix`, sorted.
    func names(_ suffix: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted()
    }

    func bytes(_ name: String) -> [UInt8] {
        [UInt8]((try? Data(contentsOf: folder.appending(path: name))) ?? Data())
    }

    func lines(_ name: String) -> [Substring] {
        String(decoding: bytes(name), as: UTF8.self).split(separator: "\n")
    }
}

/// A small generator with a fixed sequence (xorshift64*), so that every run tests the same cases.
struct FixedGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 2_685_821_657_736_338_717
    }
}
