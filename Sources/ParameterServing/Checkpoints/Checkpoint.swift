// Checkpoints: states that users keep, under numbers, next to the journal. They have the format of snapshots, so every
// byte is covered by a checksum, and they stay until someone deletes them.

import Journal
import Names
import Optimizers
import Threading

/// The description of a checkpoint, known without opening it.
public struct CheckpointFacts: Sendable, Equatable {
    /// Its number, unique among the existing checkpoints.
    public let id: UInt64
    /// The step at which it was taken.
    public let step: Int
    /// The version at which it was taken.
    public let version: Int
    /// The time at which it was taken, in seconds since 1970.
    public let created: Int
    /// The size of the content in bytes, without checksums.
    public let bytes: Int

    init(id: UInt64, step: Int, version: Int, created: Int, bytes: Int) {
        self.id = id
        self.step = step
        self.version = version
        self.created = created
        self.bytes = bytes
    }

    init?(_ info: SnapshotInfo) {
        let fields = info.label.withUnsafeBytes { bytes -> [Int]? in
            var reader = ByteReader(bytes)
            do throws(FormatError) {
                return [try reader.readInt(), try reader.readInt(), try reader.readInt()]
            } catch {
                return nil
            }
        }
        guard let fields else { return nil }
        id = info.id
        step = fields[0]
        version = fields[1]
        created = fields[2]
        bytes = info.length
    }

    /// The key of the request that saved the checkpoint: stored in the file, because the journal may not have it yet.
    static func key(in info: SnapshotInfo) -> RequestKey? {
        info.label.withUnsafeBytes { bytes -> RequestKey? in
            var reader = ByteReader(bytes)
            do throws(FormatError) {
                for _ in 0..<3 { _ = try reader.readInt() }
                return try RecordTail(reading: &reader).key
            } catch {
                return nil
            }
        }
    }

    static func label(_ head: ImageHead, _ key: RequestKey?, at now: Tick) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(head.optimizer.step)
        writer.write(head.version)
        writer.write(now.time)
        return writer.bytes + RecordTail(key: key).encoded
    }
}

/// A checkpoint opened for reading: its description, and its floats in any range.
public final class CheckpointFile: @unchecked Sendable {
    /// One tensor of the file: a parameter, `PARAMETER#SLOT`, `PARAMETER#average.NAME`, or `PARAMETER#held.K`, a gradient
    /// of push K of the open round.
    public struct Tensor: Sendable {
        /// Its name.
        public let name: Name
        /// Its shape.
        public let shape: Shape
    }

    /// Whether a tensor of that name is a gradient of a held push, which may have overflowed.
    public static func isHeldGradient(_ name: Name) -> Bool { name.text.contains(HeldRecord.mark) }

    /// Its description.
    public let facts: CheckpointFacts
    /// The tensors in the order of their values, without gaps.
    public let tensors: [Tensor]
    /// Everything except the values, for a file that can become a model again.
    public let head: [UInt8]
    /// The pushes of the open round, in the order of their arrival.
    public let held: [HeldInFile]
    /// The size of all values in bytes.
    public let valueBytes: Int
    /// The size of the values that are not gradients of held pushes.
    let stateBytes: Int
    private let reader: SnapshotReader
    /// Where the values are in the image: without gaps here, in the order of `tensors`.
    private let places: [(values: Range<Int>, offset: Int)]
    let parameterCount: Int
    /// The averages with values, in the order of these.
    let averages: [(kind: Average.Kind, updates: Int)]
    /// The budget's loan for the head.
    private let memory: Reservation

    init(_ reader: SnapshotReader, _ facts: CheckpointFacts, _ assembly: ModelAssembly) throws {
        let source = ImageSource(reader)
        // As bytes, and a second time while it is parsed: with the gradients of held pushes, which are not kept.
        let parsing = try assembly.budget.reserve(2 * (try source.endOfHead()))
        let (head, floats) = try source.head()
        let form = try assembly.form(of: head)
        let round = try StoredRound(head.round, in: form.layout, after: source.count - floats)
        self.reader = reader
        self.facts = facts
        held = round.held
        stateBytes = source.count - floats
        places = [(values: 0..<stateBytes, offset: floats)] + round.places
        valueBytes = places.last?.values.upperBound ?? stateBytes
        self.head = round.held.isEmpty ? try source.bytes(8..<floats) : head.bytes(with: round.image)
        tensors = form.tensors.map { Tensor(name: $0.name, shape: $0.shape) } + round.tensors
        parameterCount = head.parameters.count
        averages = head.optimizer.averages.map { ($0.kind, $0.updates) }
        memory = try assembly.budget.reserve(2 * self.head.count)
        withExtendedLifetime(parsing) {}
    }

    /// Fills `target` with verified bytes of the values, from `offset` on.
    public func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(JournalError) {
        let wanted = offset..<offset + target.count
        for place in places where place.values.overlaps(wanted) {
            let part = wanted.clamped(to: place.values)
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: target[part.lowerBound - offset..<part.upperBound - offset])
            let start = place.offset + part.lowerBound - place.values.lowerBound
            guard try reader.read(into: piece, at: start) == piece.count else {
                throw .corrupted(file: "checkpoint \(facts.id)", offset: offset, reason: "it ends too early")
            }
        }
    }
}
