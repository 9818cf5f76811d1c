// The open round in an image: each push as the record that logged it, so that one form is read and written.

import Journal
import Names
import Optimizers

/// The open round of a model.
struct RoundImage: Sendable {
    /// A push in it.
    struct Held: Sendable {
        var position: UInt64
        var gap: Int
        var staleness: Int
        var isFromLeftBranch: Bool
        /// The payload of its record.
        var record: [Bytes]
    }

    /// The number of rounds that were settled.
    var number = 0
    var held: [Held] = []

    /// Whether nothing has ever happened.
    var isUntouched: Bool { number == 0 && held.isEmpty }

    init() {}

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
    fileprivate func read(in layout: ArenaLayout, _ pool: ArenaPool) throws(FormatError) -> HeldPush {
        let payload = record.reduce(into: [UInt8]()) { $0.append(contentsOf: $1.content) }
        let command = try payload.withUnsafeBufferPointer { bytes throws(FormatError) in
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

extension ByteWriter {
    mutating func write(_ round: RoundImage) {
        write(round.number)
        write(round.held) { writer, held in
            writer.write(Int(held.position))
            writer.write(held.gap)
            writer.write(held.staleness)
            writer.write(held.isFromLeftBranch)
            writer.write(held.record.reduce(0) { $0 + $1.content.count })
            for piece in held.record { writer.write(raw: piece.content) }
        }
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
            RoundImage.Held(
                position: UInt64(max(0, try reader.readInt())), gap: try reader.readInt(),
                staleness: try reader.readInt(), isFromLeftBranch: try reader.readBool(),
                record: [Bytes(copying: Array(try reader.take(try reader.readInt(), "a held push")))])
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
