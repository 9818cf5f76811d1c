// The open round of a checkpoint as its file has it: the gradients as tensors, which stay where they are on the disk.

import Journal
import Names
import Optimizers

/// A push of the open round in a checkpoint's file.
public struct HeldInFile: Sendable {
    /// The worker and its number; nil for a push without.
    public let key: PushKey?
    /// The key of its request; nil for a push without.
    public let requestKey: Name?
    /// The step or version that the gradients were computed from; nil if the push names none.
    public let basedOn: Basis?
    /// The number of examples it counts for.
    public let examples: Int?
    /// The training loss that it reports.
    public let loss: Double?
    /// The rows of each gradient that is of some rows of its parameter.
    public let rows: [(parameter: Name, indices: [Int])]

    init(_ record: HeldRecord) {
        (key, requestKey, basedOn) = (record.key, record.tail.key?.text, record.basis)
        (examples, loss) = (record.tail.examples, record.head.loss)
        rows = record.gradients.compactMap { gradient in gradient.indices.map { (gradient.parameter, $0) } }
    }
}

/// The open round of an image that has been read.
struct StoredRound {
    /// The pushes, in the order of their arrival.
    private(set) var held: [HeldInFile] = []
    /// The gradients, push after push.
    private(set) var tensors: [CheckpointFile.Tensor] = []
    /// The place of each push's gradients among the values of the file, and their offset in the image.
    private(set) var places: [(values: Range<Int>, offset: Int)] = []
    /// The round with records that have no gradients.
    private(set) var image: RoundImage

    /// Divides the records of a round.
    ///
    /// - Parameter end: the number of bytes of the values before the gradients.
    /// - Throws: `corrupted` for a record that does not fit the layout.
    init(_ round: RoundImage, in layout: ArenaLayout, after end: Int) throws(JournalError) {
        image = round
        var end = end
        for (place, push) in round.held.enumerated() {
            let record: HeldRecord
            do throws(FormatError) { record = try HeldRecord(push.bytes, in: layout, hasValues: true) } catch {
                throw .corrupted(
                    file: "the round of an image", offset: push.offset + error.offset,
                    reason: "expected \(error.expected)")
            }
            held.append(HeldInFile(record))
            tensors += record.gradients.map {
                CheckpointFile.Tensor(name: HeldRecord.name(of: $0.parameter, at: place), shape: $0.shape)
            }
            // The head follows its length, which takes 8 bytes.
            let count = record.values.count
            places.append((values: end..<end + count, offset: 8 + push.offset + record.values.lowerBound))
            end += count
            image.held[place].record = [Bytes(copying: record.ends.before), Bytes(copying: record.ends.after)]
        }
    }
}

extension ImageHead {
    /// The binary form of the head with another round, without its length.
    func bytes(with round: RoundImage) -> [UInt8] {
        var head = self
        head.round = round
        var bytes: [UInt8] = []
        head.write { bytes.append(contentsOf: $0) }
        return Array(bytes.dropFirst(MemoryLayout<UInt64>.stride))
    }
}
