// The answers of requests that came with a key: those of one model, or of the daemon for models that come and go. A key
// is unknown, in flight (on disk work or logged, not yet applied), answered, or forgotten: its answer had to go, and what
// is left of it keeps it from being carried out again. Only the executor of its owner touches a ledger.

import Names

/// The keyed requests that are remembered, each client's in a window of its own.
struct KeyLedger {
    /// A key with what became of its request.
    struct Entry: Sendable {
        var key: RequestKey
        var answer: StoredAnswer
        /// Where the daemon's entries are in the journal; not stored.
        var position: UInt64 = 0

        /// What the entry takes, about.
        fileprivate var bytes: Int {
            let rates = if case .receipt(let receipt) = answer { receipt.learningRates.count } else { 0 }
            return 256 + key.text.utf8.count + 8 * rates
        }
    }

    /// A key whose answer is no longer kept.
    struct Forgotten: Sendable, Equatable {
        var print: Fingerprint
        /// When its request arrived.
        var time: Int
    }

    private struct Place {
        var entry: Entry
        let number: Int
    }

    /// The most answers that are kept for a client.
    let most: Int
    /// How long, in seconds.
    let lifetime: Int
    /// The most forgotten keys: 1,024 for each 16 answers of a window, and none where fewer are kept.
    var mostForgotten: Int { min(most, 1 << 20) / 16 * 1024 }
    private var places: [Name: Place] = [:]
    private var line = KeyLine()
    private var clients: [Name: KeyLine] = [:]
    private var count = 0
    private var inFlight: [Name: RequestKey] = [:]
    private var forgottenTimes: [Fingerprint: Int] = [:]
    private var forgottenLine: [Fingerprint] = []

    /// An empty ledger; one that keeps nothing where no configuration says how much.
    init(_ configuration: ServingConfiguration? = nil) {
        most = configuration?.requestKeys ?? 0
        lifetime = configuration.map { Int($0.keyLifetime.components.seconds) } ?? 0
    }

    /// What it takes: its answers, each with a line of its own at worst, and what is left of forgotten keys.
    var bytes: Int {
        line.bytes + places.count * Self.placeBytes + inFlight.count * Self.placeBytes
            + forgottenLine.count * Self.forgottenBytes
    }

    /// What one more answer takes.
    static func bytesAdded(by key: RequestKey) -> Int { placeBytes + Entry(key: key, answer: .deleted).bytes }

    private static let placeBytes = EntryBytes.place(Name.self, Place.self) + EntryBytes.place(Name.self, KeyLine.self)
    private static let forgottenBytes =
        EntryBytes.place(Fingerprint.self, Int.self) + 2 * MemoryLayout<Fingerprint>.stride

    /// The answers, the oldest first.
    var entries: [Entry] { places.values.sorted { $0.number < $1.number }.map(\.entry) }

    /// The forgotten keys, the oldest first.
    var forgotten: [Forgotten] {
        forgottenLine.compactMap { print in forgottenTimes[print].map { Forgotten(print: print, time: $0) } }
    }

    /// The stored answer of a request; nil for one that has not been seen.
    ///
    /// Age is judged here and not where the log is applied: a replay must not depend on the clock.
    /// - Throws: `keyReused` for another request under the key, `inFlight` while the first one is under way,
    ///   `keyForgotten` for one whose answer has left its client's window.
    func find(_ key: RequestKey) throws(ServingError) -> StoredAnswer? {
        let known = places[key.text].flatMap { $0.entry.key.time >= key.time - lifetime ? $0.entry : nil }
        guard let first = inFlight[key.text] ?? known?.key else {
            if let time = forgottenTimes[key.text.print], time >= key.time - lifetime {
                throw .keyForgotten(key: key.text.text)
            }
            return nil
        }
        guard first.isSameRequest(as: key) else { throw .keyReused(key: key.text.text) }
        if inFlight[key.text] != nil { throw .inFlight(key: key.text.text) }
        return known?.answer
    }

    /// The same, and marks a key that has not been seen as under way: its request does other work before it is logged.
    mutating func reserve(_ key: RequestKey) throws(ServingError) -> StoredAnswer? {
        if let answer = try find(key) { return answer }
        begin(key)
        return nil
    }

    /// Marks the key as under way.
    mutating func begin(_ key: RequestKey) { inFlight[key.text] = key }

    /// Forgets that the key is under way.
    mutating func abandon(_ key: RequestKey) { inFlight[key.text] = nil }

    /// Stores the answer of a request that has been carried out.
    mutating func finish(_ key: RequestKey, _ answer: StoredAnswer, at position: UInt64 = 0) {
        inFlight[key.text] = nil
        remove(key.text)
        count += 1
        let entry = Entry(key: key, answer: answer, position: position)
        places[key.text] = Place(entry: entry, number: count)
        line.add(key.text, count, bytes: entry.bytes)
        clients[key.client, default: KeyLine()].add(key.text, count, bytes: entry.bytes)
        makeRoom(in: key.client)
        let isLive = isLive
        line.tidy(where: isLive)
        clients[key.client]?.tidy(where: isLive)
    }

    /// Lets answers go until the window of a client and the bytes of all hold.
    ///
    /// A client that takes more than an eighth of all loses its own oldest answer, else the oldest of all goes; random
    /// keys, each of which looks like a client, take nothing from themselves.
    private mutating func makeRoom(in client: Name) {
        while let own = clients[client], own.count > most { forgetOldest(of: client) }
        while line.bytes > ServingConfiguration.keptAnswerBytes, line.count > 1 {
            let isGreedy =
                clients[client].map { $0.count > 1 && $0.bytes > ServingConfiguration.keptAnswerBytes / 8 } ?? false
            forgetOldest(of: isGreedy ? client : nil)
        }
    }

    private mutating func forgetOldest(of client: Name?) {
        guard let oldest = oldest(of: client), let key = places[oldest]?.entry.key else { return }
        remove(oldest)
        note(Forgotten(print: oldest.print, time: key.time))
    }

    private mutating func oldest(of client: Name?) -> Name? {
        let isLive = isLive
        if let client { return clients[client]?.oldest(where: isLive) }
        return line.oldest(where: isLive)
    }

    /// Whether a key in a line is still there, and not again under a later number.
    private var isLive: (Name, Int) -> Bool {
        { [places] text, number in places[text]?.number == number }
    }

    private mutating func remove(_ text: Name) {
        guard let place = places.removeValue(forKey: text) else { return }
        let client = place.entry.key.client
        line.remove(bytes: place.entry.bytes)
        clients[client]?.remove(bytes: place.entry.bytes)
        if clients[client]?.count == 0 { clients[client] = nil }
    }

    private mutating func note(_ key: Forgotten) {
        if forgottenTimes.updateValue(key.time, forKey: key.print) == nil { forgottenLine.append(key.print) }
        guard forgottenLine.count > mostForgotten + mostForgotten / 8 else { return }
        for print in forgottenLine.prefix(forgottenLine.count - mostForgotten) { forgottenTimes[print] = nil }
        forgottenLine.removeFirst(forgottenLine.count - mostForgotten)
    }

    /// Puts back what an image held; limits that have become smaller since hold at once.
    mutating func restore(_ entries: [Entry], forgotten: [Forgotten] = []) {
        (places, line, clients) = ([:], KeyLine(), [:])
        (forgottenTimes, forgottenLine) = ([:], [])
        for key in forgotten { note(key) }
        for entry in entries { finish(entry.key, entry.answer, at: entry.position) }
    }

    /// Has receipts that were read share their rates and account for them.
    mutating func share(_ rates: inout SharedRates) {
        for place in places.values {
            guard case .receipt(var receipt) = place.entry.answer else { continue }
            rates.share(in: &receipt)
            places[place.entry.key.text]?.entry.answer = .receipt(receipt)
        }
    }
}
