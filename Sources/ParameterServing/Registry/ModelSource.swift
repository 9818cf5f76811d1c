// The source of a model: a definition, or a file with another model and its state.

import Journal
import Optimizers

/// The content from which a model is created.
public enum ModelSource: Sendable {
    /// A create request.
    case definition(ModelDefinition)
    /// A definition together with the initial state, and the pushes in its round.
    case state(ModelDefinition, OptimizerState, RoundImage = RoundImage())

    /// Equal for sources with the same meaning, however they are written.
    ///
    /// - Throws: `invalid` for a definition that is wrong.
    func fingerprint(_ catalogue: Catalogue) throws(ServingError) -> Fingerprint {
        guard case .definition(let definition) = self else { return writtenFingerprint }
        return try wrapping { () throws(OptimizerError) in try definition.fingerprint(catalogue) }
    }

    /// The fingerprints that a model of the same source may have, with those of earlier releases.
    ///
    /// - Throws: as above.
    func fingerprints(_ catalogue: Catalogue) throws(ServingError) -> [Fingerprint] {
        let own = [try fingerprint(catalogue), writtenFingerprint]
        guard case .definition(let definition) = self else { return own }
        let earlier = try wrapping { () throws(OptimizerError) in try definition.earlierFingerprint(catalogue) }
        return own + (earlier.map { [$0] } ?? [])
    }

    /// Equal for sources that are written alike: recognizes a repeated request; images of earlier releases contain it.
    public var writtenFingerprint: Fingerprint {
        switch self {
        case .definition(let definition): return definition.writtenFingerprint
        case .state(let definition, let state, let round):
            let builder = Fingerprint.Builder()
            var head = ByteWriter()
            let values = definition.encoded(into: &head, as: .first)
            for source in values { builder.add(UnsafeRawBufferPointer(source.values)) }
            head.write(state)
            head.bytes.withUnsafeBytes { builder.add($0) }
            for buffer in state.buffers { builder.add(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
            if !round.held.isEmpty { for piece in round.pieces { builder.add(piece.content) } }
            return builder.fingerprint
        }
    }

    /// The model's initial step; `2.0` is the integer 2.
    var step: Int {
        switch self {
        case .definition(let definition): definition.settings["step"]?.numberValue.flatMap { Int(exactly: $0) } ?? 0
        case .state(_, let state, _): state.step
        }
    }

    /// The definition without the state.
    var definition: ModelDefinition {
        switch self {
        case .definition(let definition), .state(let definition, _, _): definition
        }
    }

    /// The record that replays to the creation of `model`, the `count`-th of this directory.
    func record(of model: ModelState, count: UInt64, key: RequestKey? = nil) -> Record {
        var head = ByteWriter()
        head.write(count)
        head.write(model.facts.name)
        let kind: CommandKind
        var floats: [Bytes]
        switch self {
        case .definition(let definition):
            kind = .create
            floats = Self.write(definition, to: &head)
        case .state(let definition, let state, let round):
            kind = round.held.isEmpty ? .createFromImage : .createWithRound
            head.write(state)
            floats = Self.write(definition, to: &head)
            floats += state.buffers.map { Bytes(UnsafeRawBufferPointer($0[0..<$0.count]), owner: $0) }
            if !round.held.isEmpty { floats += round.pieces }
        }
        let payload = [Bytes(copying: head.bytes)] + floats + RecordTail(key: key).bytes
        return Record(type: kind.rawValue, model: model.facts.uid.number, payload: payload)
    }

    private static func write(_ definition: ModelDefinition, to head: inout ByteWriter) -> [Bytes] {
        head.pad(to: 8)
        return definition.encoded(into: &head).map { Bytes(UnsafeRawBufferPointer($0.values), owner: $0.owner) }
    }
}

/// A create record that has been read.
struct CreationRecord {
    let count: UInt64
    let name: String
    let source: ModelSource
    /// The key of the request.
    let key: RequestKey?

    init(_ kind: CommandKind, reading reader: inout ByteReader) throws(FormatError) {
        count = try reader.readUInt64()
        name = try reader.readString()
        let state = kind == .create ? nil : try reader.readOptimizerState(slotBytes: reader.bytesLeft)
        try reader.skipPadding(to: 8)
        let definition = try ModelDefinition(reading: &reader)
        for buffer in state?.buffers ?? [] { try reader.readRawFloats(into: buffer.base, count: buffer.count) }
        let round = kind == .createWithRound ? try reader.readRound() : RoundImage()
        source = state.map { .state(definition, $0, round) } ?? .definition(definition)
        key = try RecordTail(reading: &reader).key
    }
}
