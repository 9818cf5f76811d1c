// The checksum in the metadata of a file that can be uploaded again. It covers the metadata and the tensors by name, so
// that tools may reorder tensors, and every bit of them.

import Names
import Optimizers
import ParameterServing
import TensorCoding
import Threading

/// XXH3 over the metadata and the tensors of a safetensors file.
struct FileChecksum {
    /// The metadata's key of the checksum itself.
    static let key: Name = "paramd.checksum"

    /// A tensor: its name, its shape, the fingerprint of its bytes.
    typealias Tensor = (name: Name, shape: [Int], fingerprint: Fingerprint)

    /// The text of the checksum.
    static func text(metadata: [(Name, String)], tensors: [Tensor]) -> String {
        let builder = Fingerprint.Builder()
        let pairs = metadata.filter { $0.0 != key }.sorted { $0.0 < $1.0 }
        builder.add(pairs.count)
        for (key, value) in pairs {
            builder.add(key.text)
            builder.add(value)
        }
        for tensor in tensors.sorted(by: { $0.name < $1.name }) {
            builder.add(tensor.name.text)
            builder.add(tensor.shape.count)
            for extent in tensor.shape { builder.add(extent) }
            builder.add(tensor.fingerprint.description)
        }
        return "xxh3-\(builder.fingerprint)"
    }

    /// Compares a file with its checksum; files of other tools have none.
    ///
    /// - Throws: `invalidContent` if it differs, or if its key is damaged.
    static func check(_ body: SafetensorsBody) throws(Problem) {
        guard let stated = body.metadata[key] else {
            guard let near = body.metadata.keys.first(where: isDamagedKey) else { return }
            throw damaged("its metadata has `\(near)` where `\(key)` belongs")
        }
        let found = text(metadata: body.metadata.map { ($0.key, $0.value) }, tensors: body.tensors.map(\.checked))
        if found != stated {
            throw damaged("its content has the checksum \(found), and `\(key)` says \(stated.prefix(60))")
        }
    }

    /// Whether a name is the key with one letter changed: a damaged file of this server, whose checksum must not be
    /// ignored.
    private static func isDamagedKey(_ name: Name) -> Bool {
        name.utf8.count == key.utf8.count && zip(name.utf8, key.utf8).filter { $0 != $1 }.count == 1
    }

    private static func damaged(_ reason: String) -> Problem {
        Problem([
            Complaint(
                pointer: "/__metadata__/\(key.pointerEscaped)", exception: .valueError,
                detail:
                    "the file is damaged: \(reason); send it again from its source, and leave `\(key)` out of a file changed by another tool"
            )
        ])
    }
}

extension DecodedTensor {
    /// The checksum's input from the tensor.
    fileprivate var checked: FileChecksum.Tensor {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let fingerprint =
            switch content {
            case .dense(let buffer?): Fingerprint(of: UnsafeRawBufferPointer(buffer.values))
            case .count(let count): Fingerprint(of: count)
            default: Fingerprint(of: none)
            }
        return (name, shape ?? [], fingerprint)
    }
}

/// Checksums of recently requested checkpoints, because ranges of one file are requested one after another.
final class ChecksumCache: Sendable {
    private let known = Locked<[String: String]>([:])

    /// The checksum with the given tag; if unknown, `body` computes it, outside the lock.
    func value<Failure: Error>(_ tag: String, _ body: () throws(Failure) -> String) throws(Failure) -> String {
        if let found = known.withLock({ $0[tag] }) { return found }
        let made = try body()
        known.withLock { known in
            if known.count >= FixedLimits.keptChecksums { known.removeAll() }
            known[tag] = made
        }
        return made
    }
}
