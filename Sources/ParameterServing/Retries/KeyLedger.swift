// The answers of requests with a key: those of one model, or of the daemon for creations and deletions. A key is
// unknown, in flight (in file work, or logged and not applied), answered, or forgotten: its answer was dropped, and a
// remainder prevents the request from being executed again. Only the executor of its owner uses a ledger.

import Names

/// The remembered requests with a key, with a separate window for each client.
struct KeyLedger {
    /// A key with the result of its request.
    struct Entry: Sendable {
        var key: RequestKey
        var answer: StoredAnswer
        /// The journal position of the daemon's entries; not stored.
        var position: UInt64 = 0

        /// The approximate size of the entry.
        fileprivate var bytes: Int {
            let rates = if case .receipt(let receipt) = answer { receipt.learningRates.count } else { 0 }
            return 256 + key.text.utf8.count + 8 * rates
        }
    }

    /// A key whose answer has been dropped.
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
    /// How long answers are kept, in seconds.
    let lifetime: Int
    /// The most forgotten keys of all clients together: 1,024 for every 16 answers of a client's window, rounded up.
    var mostForgotten: Int { (min(most, 1 << 20) + 15) / 16 * 1024 }
    private var places: [Name: Place] = [:]
    private var line = KeyLine()
    private var clients: [Name: KeyLine] = [:]
    private var count = 0
    private var inFlight: [Name: RequestKey] = [:]
    private var forgottenTimes: [Fingerprint: Int] = [:]
    private var forgottenLine: [Fingerprint] = []

    /// Makes an empty ledger; it keeps nothing if no configuration is given.
    init(_ configuration: ServingConfiguration? = nil) {
        most = configuration?.requestKeys ?? 0
        lifetime = configuration.map { Int($0.keyLifetime.components.seconds) } ?? 0
    }

    /// Its size: its answers, each with its own line in the worst case, and the remainders of forgotten keys.
    var bytes: Int {
        line.bytes + places.count * Self.placeBytes + inFlight.count * Self.placeBytes
            + forgottenLine.count * Self.forgottenBytes
    }

    /// The size of one more answer.
    static func bytesAdded(by key: RequestKey) -> Int { placeBytes + Entry(key: key, answer: .deleted).bytes }

    private static let placeBytes = EntryBytes.place(Name.self, Place.self) + EntryBytes.place(Name.self, KeyLine.self)
    private static let forgottenBytes =
        EntryBytes.place(Fingerprint.self, Int.self) + 2 * MemoryLayout<Fingerprint>.stride

    /// The answers, oldest first.
    var entries: [Entry] { places.values.sorted { $0.number < $1.number }.map(\.entry) }

    /// The forgotten keys, oldest first.
    var forgotten: [Forgotten] {
        forgottenLine.compactMap { print in forgottenTimes[print].map { Forgotten(print: print, time: $0) } }
    }

    /// The stored answer of a request; nil if the request is new.
    ///
    /// Age is checked here and not where the log is applied: a replay must not depend on the clock.
    ///
    /// - Parameters:
    ///   - key: the request.
    ///   - isEarlier: whether earlier releases stored this fingerprint for its body.
    /// - Throws: `keyReused` for another request under the key, `inFlight` while the first one is in progress,
    ///   `keyForgotten` if its answer has left its client's window.
    func find(
        _ key: RequestKey, or isEarlier: (Fingerprint) -> Bool = { _ in false }
    ) throws(ServingError) -> StoredAnswer? {
        let known = places[key.text].flatMap { $0.entry.key.time >= key.time - lifetime ? $0.entry : nil }
        guard let first = inFlight[key.text] ?? known?.key else {
            if let time = forgottenTimes[key.text.print], time >= key.time - lifetime {
                throw .keyForgotten(key: key.text.text)
            }
            return nil
        }
        guard first.isSameRequest(as: key, or: isEarlier) else { throw .keyReused(key: key.text.text) }
        if inFlight[key.text] != nil { throw .inFlight(key: key.text.text) }
        return known?.answer
    }

    /// As above, and marks a new key as in flight: its request does other work before it is logged.
    mutating func reserve(_ key: RequestKey) throws(ServingError) -> StoredAnswer? {
        if let answer = try find(key) { return answer }
        begin(key)
        return nil
    }

    /// Marks the key as in flight.
    mutating func begin(_ key: RequestKey) { inFlight[key.text] = key }

    /// Removes the key's mark.
    mutating func abandon(_ key: RequestKey) { inFlight[key.text] = nil }

    /// Stores the answer of an executed request.
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

    /// Replaces the answer of a push whose round has been settled; nothing if that has been dropped.
    mutating func replace(_ key: RequestKey, with answer: StoredAnswer) {
        guard var entry = places[key.text]?.entry, entry.key == key else { return }
        let before = entry.bytes
        entry.answer = answer
        places[key.text]?.entry = entry
        line.change(by: entry.bytes - before)
        clients[key.client]?.change(by: entry.bytes - before)
    }

    /// Drops answers until the window of a client and the bytes of all are within their limits.
    ///
    /// A client with more than an eighth of all bytes loses its own oldest answer; otherwise the oldest of all is
    /// dropped. Random keys look like many clients, so they do not displace each other first.
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

    /// Whether a key in a line still exists and has not been stored again under a later number.
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

    /// Restores the content of an image; limits that have become smaller apply at once.
    mutating func restore(_ entries: [Entry], forgotten: [Forgotten] = []) {
        (places, line, clients) = ([:], KeyLine(), [:])
        (forgottenTimes, forgottenLine) = ([:], [])
        for key in forgotten { note(key) }
        for entry in entries { finish(entry.key, entry.answer, at: entry.position) }
    }

    /// Lets receipts from an image share their rates and account for them.
    mutating func share(_ rates: inout SharedRates) {
        for place in places.values {
            guard case .receipt(var receipt) = place.entry.answer else { continue }
            rates.share(in: &receipt)
            places[place.entry.key.text]?.entry.answer = .receipt(receipt)
        }
    }
}
