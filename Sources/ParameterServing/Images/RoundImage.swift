// The open round in an image: each push as the record that logged it, so that one form is read and written.

import Journal
import Names
import Optimizers

/// The open round of a model.
public struct RoundImage: Sendable {
    /// A push in it.
    struct Held: Sendable {
        var position: UInt64
        var gap: Int
        var staleness: Int
        var isFromLeftBranch: Bool
        /// The payload of its record.
        var record: [Bytes]
        /// Where the record starts in the bytes that it was read from; 0 if it was not read.
        var offset = 0

        /// The number of bytes of its record.
        var byteCount: Int { record.reduce(0) { $0 + $1.content.count } }

        /// Its record in one piece.
        var bytes: [UInt8] { record.reduce(into: []) { $0.append(contentsOf: $1.content) } }
    }

    /// The number of rounds that were settled.
    var number = 0
    var held: [Held] = []

    /// Whether nothing has ever happened.
    var isUntouched: Bool { number == 0 && held.isEmpty }

    /// The round as a new model has it: none has been settled, and its pushes have no records of their own.
    var ofNewModel: RoundImage {
        var round = self
        round.number = 0
        for place in held.indices { round.held[place].position = 0 }
        return round
    }

    /// Makes the round of a new model.
    public init() {}

    /// The round of a state; the gradients stay where they are.
    init(_ round: Round, of uid: ModelUID, in layout: ArenaLayout) {
        number = round.number
        held = round.held.map { held in
            let command = Command.push(held.push).under(held.requestKey)
            return Held(
                position: held.position, gap: held.gap, staleness: held.staleness ?? 0,
                isFromLeftBranch: held.isFromLeftBranch, record: command.record(of: uid, in: layout).payload)
        }
    }

    /// The round of a state with this layout.
    func read(
        in layout: ArenaLayout, _ pool: ArenaPool, isRegistered: (Name) -> Bool
    ) throws(FormatError) -> Round {
        var pushes: [HeldPush] = []
        for held in held { pushes.append(try held.read(in: layout, pool)) }
        return Round(number: number, held: pushes, isRegistered: isRegistered)
    }
}

extension RoundImage.Held {
    /// The push with its gradients in an arena of the pool.
    func read(in layout: ArenaLayout, _ pool: ArenaPool) throws(FormatError) -> HeldPush {
        let command = try bytes.withUnsafeBufferPointer { bytes throws(FormatError) in
            var reader = ByteReader(UnsafeRawBufferPointer(bytes))
            return try Command(.push, reading: &reader, layout: layout, pool: pool)
        }
        var (push, key): (Push?, RequestKey?) = (nil, nil)
        switch command {
        case .push(let found): push = found
        case .keyed(let found, _, .push(let inner)): (push, key) = (inner, found)
        default: break
        }
        guard let push else { throw FormatError(expected: "a push of the round", offset: 0) }
        return HeldPush(
            push: push, requestKey: key, position: position, gap: gap, staleness: push.basedOn == nil ? nil : staleness,
            isFromLeftBranch: isFromLeftBranch, tickets: [])
    }
}

extension RoundImage {
    /// The binary form, in pieces: the gradients stay where they are.
    var pieces: [Bytes] {
        var start = ByteWriter()
        start.write(number)
        start.write(held.count)
        return [Bytes(copying: start.bytes)]
            + held.flatMap { held in
                var head = ByteWriter()
                head.write(Int(held.position))
                head.write(held.gap)
                head.write(held.staleness)
                head.write(held.isFromLeftBranch)
                head.write(held.byteCount)
                return [Bytes(copying: head.bytes)] + held.record
            }
    }
}

extension ByteWriter {
    mutating func write(_ round: RoundImage) {
        for piece in round.pieces { write(raw: piece.content) }
    }

    mutating func write(_ clocks: WorkerClocks) {
        write(clocks.clocks.sorted { $0.key < $1.key }) { writer, clock in
            writer.write(clock.key)
            writer.write(clock.value)
        }
        write(clocks.departed.sorted()) { $0.write($1) }
    }
}

extension ByteReader {
    mutating func readRound() throws(FormatError) -> RoundImage {
        var round = RoundImage()
        round.number = try readInt()
        round.held = try readArray { reader throws(FormatError) in
            var held = RoundImage.Held(
                position: UInt64(max(0, try reader.readInt())), gap: try reader.readInt(),
                staleness: try reader.readInt(), isFromLeftBranch: try reader.readBool(), record: [])
            let count = try reader.readInt()
            held.offset = reader.offset
            held.record = [Bytes(copying: Array(try reader.take(count, "a held push")))]
            return held
        }
        return round
    }

    mutating func readClocks() throws(FormatError) -> WorkerClocks {
        let clocks = try readArray { reader throws(FormatError) in (try reader.readName(), try reader.readInt()) }
        let departed = try readArray { reader throws(FormatError) in try reader.readName() }
        return WorkerClocks(
            clocks: Dictionary(clocks, uniquingKeysWith: { first, _ in first }), departed: Set(departed))
    }
}
