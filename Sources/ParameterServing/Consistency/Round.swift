// The open round of a model: the pushes that it holds until they become one update. It is part of the state: records
// fill and settle it, images contain it.

import Names
import Optimizers
import Threading

/// A push that waits in a round.
struct HeldPush: Sendable {
    var push: Push
    /// The key of its request, if it has no number of its own.
    var requestKey: RequestKey?
    /// The position of its record; of a push that came with the file of the model, that of the model's creation.
    var position: UInt64
    /// Its place among the pushes of the round, in the order in which they arrived.
    var place = 0
    /// The number of skipped numbers before its own.
    let gap: Int
    /// As in its receipt.
    let staleness: Int?
    let isFromLeftBranch: Bool
    /// Requests that wait for the round; empty after a start.
    var tickets: [Ticket]

    /// Whether it is the push of a key.
    func has(_ key: PushKey?, _ requestKey: RequestKey?) -> Bool {
        if let key { return push.key == key }
        return requestKey != nil && self.requestKey?.text == requestKey?.text
    }

    /// What it adds to the update.
    var contribution: Contribution { Contribution(push.gradients, weight: Double(push.examples ?? 1)) }

    /// Whether its gradient is added before another's.
    ///
    /// By worker, epoch and number, then by key, then by place: everything but the place is independent of the order
    /// of arrival, so that the sum has the same bits.
    static func comesBefore(_ one: HeldPush, _ other: HeldPush) -> Bool {
        let (a, b) = (one.push.key, other.push.key)
        if let a, let b { return (a.worker, a.epoch, a.seq) < (b.worker, b.epoch, b.seq) }
        if (a == nil) != (b == nil) { return a != nil }
        let (first, second) = (one.requestKey?.text, other.requestKey?.text)
        if let first, let second, first != second { return first < second }
        if (first == nil) != (second == nil) { return first != nil }
        return one.place < other.place
    }
}

/// The open round, and how many were settled before it.
///
/// 1. A push is in it at most once, and none follows one of a later record.
/// 2. Every push whose stored receipt says that it is held is in it.
struct Round: Sendable {
    /// The number of rounds that were settled.
    private(set) var number = 0
    /// The pushes in the order of their records.
    private(set) var held: [HeldPush] = []
    /// The named workers among them.
    private(set) var workers: Set<Name> = []
    /// The number of registered workers among those.
    private(set) var present = 0
    /// The size of what the pushes report and bring.
    private var detailBytes = 0

    init() {}

    /// Makes the round of an image.
    init(number: Int, held: [HeldPush], isRegistered: (Name) -> Bool) {
        (self.number, self.held) = (number, held)
        for place in held.indices { self.held[place].place = place }
        workers = Set(held.compactMap(\.push.key?.worker))
        detailBytes = held.reduce(0) { $0 + $1.push.detailBytes }
        recount(isRegistered)
    }

    /// Counts the registered workers again, after one has joined or left.
    mutating func recount(_ isRegistered: (Name) -> Bool) { present = workers.count(where: isRegistered) }

    /// Whether it holds nothing.
    var isEmpty: Bool { held.isEmpty }

    /// The memory of its list; gradients are counted where they are allocated.
    var bytes: Int { EntryBytes.array(held) + workers.count * EntryBytes.place(Name.self, Void.self) + detailBytes }

    /// The additional size of a push.
    static func bytesAdded(by push: Push) -> Int {
        2 * MemoryLayout<HeldPush>.stride + EntryBytes.place(Name.self, Void.self) + push.detailBytes
    }

    /// Adds a push.
    mutating func add(_ push: HeldPush, isRegistered: Bool) {
        invariant(held.last.map { $0.position < push.position } ?? true, "1: push \(push.position) is held twice")
        append(push, isRegistered: isRegistered)
    }

    /// Adds a push that came with the file of the model, before the model has a position.
    mutating func adopt(_ push: HeldPush) {
        invariant((held.last?.position ?? 0) == 0, "1: a push of a file follows one of the journal")
        append(push, isRegistered: false)
    }

    /// Gives the pushes that came with the file of the model the position of its creation.
    mutating func begin(at position: UInt64) {
        for place in held.indices { held[place].position = position }
    }

    private mutating func append(_ push: HeldPush, isRegistered: Bool) {
        held.append(push)
        held[held.count - 1].place = held.count - 1
        detailBytes += push.push.detailBytes
        guard let worker = push.push.key?.worker, workers.insert(worker).inserted else { return }
        if isRegistered { present += 1 }
    }

    /// What it holds, and one more push, in the order of reduction.
    func pushes(with last: HeldPush? = nil) -> [HeldPush] {
        var pushes = held
        if var last {
            last.place = pushes.count
            pushes.append(last)
        }
        return pushes.sorted(by: HeldPush.comesBefore)
    }

    /// Takes everything that it holds, in the order of reduction, and starts the next round.
    mutating func settle() -> [HeldPush] {
        defer { (number, held, workers, present, detailBytes) = (number + 1, [], [], 0, 0) }
        return pushes()
    }

    /// Moves the gradients to another layout: a parameter or a row that a push lacks counts as zero in it.
    mutating func move(to pool: ArenaPool) {
        for index in held.indices { held[index].push.move(to: pool, shortRows: .zero) }
    }

    /// Lets a request wait for the round of an earlier arrival of its push, besides those that still wait for it.
    mutating func attach(
        _ ticket: Ticket, _ key: PushKey?, _ requestKey: RequestKey?, besides isWaiting: (Ticket) -> Bool
    ) {
        let place = held.firstIndex { $0.has(key, requestKey) }
        invariant(place != nil, "2: a push is held of which the round knows nothing")
        if let place { held[place].tickets = held[place].tickets.filter(isWaiting) + [ticket] }
    }
}

extension Push {
    /// The size of the figures that it reports and of what it brings.
    fileprivate var detailBytes: Int {
        metrics.reduce(EntryBytes.array(metrics)) { $0 + EntryBytes.text($1.name) } + (hyperparameters?.bytes ?? 0)
    }
}
