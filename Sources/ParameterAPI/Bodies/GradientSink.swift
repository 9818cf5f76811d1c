// The destination of a push's numbers: straight into an arena-shaped buffer, taken from the model's pool shortly before
// the first dense value and paid for as the body arrives, so that slow clients hold only what they have sent. Sparse
// rows grow separately, within the budget.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Provides the destination of each tensor of a push or an import.
final class GradientSink: TensorSink {
    /// The layout that the values are read for, and its arenas.
    let facts: ModelFacts
    let layout: ArenaLayout
    /// Why there is no memory for the values; do not use what was read since.
    private(set) var failure: Problem?
    private var taken: Arena?
    /// The memory of the body.
    let loan: BodyLoan
    /// The values of a push that do not fit into the model; only its fingerprint needs them.
    private(set) var spilled = SpilledTensors()
    /// The memory that the fingerprint of a tensor takes until the body is complete.
    private static let bytesPerSpill = 128
    private var receivedBytes = 0
    private var paidBytes = -1  // of those
    private let bytesPerByte: Int
    private let takesUntrained: Bool

    /// Makes a sink for one body.
    ///
    /// - Parameters:
    ///   - model: provides layout and arenas.
    ///   - loan: the memory of the body.
    ///   - takesUntrained: whether untrained parameters may be written: in an import, not in a push.
    init(_ model: Model, loan: BodyLoan, takesUntrained: Bool) {
        facts = model.publication.current.facts
        layout = facts.layout
        self.loan = loan
        // 16-bit floats grow to twice their size when read, and one-byte integers to four times.
        bytesPerByte = takesUntrained ? 4 : 2
        self.takesUntrained = takesUntrained
    }

    func known(_ bytes: UnsafeBufferPointer<UInt8>, after place: Int) -> KnownTensor? {
        guard let index = layout.index(of: bytes, after: place) else { return nil }
        return KnownTensor(
            name: layout.parameters[index].name, place: index, shape: layout.parameters[index].shape.dimensions)
    }

    func integers(for name: Name) -> IntegerUse {
        guard takesUntrained else { return .refused }
        // An unknown parameter is reported later and needs no other complaint.
        guard let index = layout.index(of: name) else { return .taken }
        if layout.parameters[index].isTrainable { return .refused }
        return layout.parameters[index].elementType.map(IntegerUse.wanted) ?? .taken
    }

    func destination(for name: Name, in section: Name) -> TensorDestination {
        layout.index(of: name).map(destination(ofKnown:)) ?? .nowhere
    }

    func destination(ofKnown place: Int) -> TensorDestination {
        guard let range = writable(place) else { return .nowhere }
        do throws(Problem) {
            return .memory(try partlyPaid().buffer[range])
        } catch {
            failure = error
            return .nowhere
        }
    }

    /// The range of a parameter if a tensor may write its values.
    private func writable(_ index: Int) -> Range<Int>? {
        layout.parameters[index].isTrainable || takesUntrained ? layout.parameters[index].range : nil
    }

    /// The memory that a tensor is written to, as far as it has room; nil if nothing of it is written.
    func written(of name: Name) -> UnsafeMutableBufferPointer<Float>? {
        guard let range = layout.index(of: name).flatMap(writable) else { return nil }
        return taken?.buffer[range]
    }

    /// Pays for the values that the next `count` bytes of the body can hold.
    func expect(_ count: Int) {
        receivedBytes += count
        guard taken != nil, failure == nil else { return }
        do throws(Problem) { _ = try partlyPaid() } catch { failure = error }
    }

    /// The buffer with the dense values, paid for as far as they have arrived.
    ///
    /// - Throws: `outOfMemory`, also if an earlier value found no memory.
    private func partlyPaid() throws(Problem) -> Arena {
        if let failure { throw failure }
        if let taken, paidBytes == receivedBytes { return taken }
        do throws(ServingError) {
            let arena = if let taken { taken } else { try facts.takeArena() }
            taken = arena
            try arena.pay(for: receivedBytes * bytesPerByte)
            try loan.cover(receivedBytes * bytesPerByte, of: bytes)
            paidBytes = receivedBytes
            return arena
        } catch {
            throw Problem(error)
        }
    }

    /// The buffer with the dense values, at the end.
    ///
    /// - Throws: `outOfMemory`, also if an earlier value found no memory.
    func arena() throws(Problem) -> Arena {
        let arena = try partlyPaid()
        do throws(ServingError) {
            try arena.payInFull()
            try loan.cover(bytes, of: bytes)
        } catch {
            throw Problem(error)
        }
        return arena
    }

    /// The size of the buffer.
    private var bytes: Int { layout.count * MemoryLayout<Float>.stride }

    func spill(_ values: UnsafeBufferPointer<Float>, of name: Name) {
        // Imports are identified by the values that they set.
        if takesUntrained || failure != nil { return }
        if spilled.begin(name) {
            guard loan.take(Self.bytesPerSpill) else {
                failure = loan.refusal.map { Problem($0) }
                return
            }
            if let written = written(of: name) { spilled.add(UnsafeRawBufferPointer(written)) }
        }
        spilled.add(UnsafeRawBufferPointer(values))
    }

    func allowGrowth(bytes: Int) -> Bool { loan.take(bytes) }
}
