// The answers of requests that came with a key: those of one model, or of the daemon for models that come and go. A key
// is unknown, in flight (on disk work or logged, not yet applied) or answered. Only the executor of its owner touches a ledger.

import Names

/// The keyed requests that are remembered, the oldest first.
struct KeyLedger {
    /// A key with what became of its request.
    struct Entry: Sendable {
        var key: RequestKey
        var answer: StoredAnswer
        /// Where the daemon's entries lie in the journal; not stored.
        var position: UInt64 = 0

        /// What the entry takes, about.
        fileprivate var bytes: Int {
            let rates = if case .receipt(let receipt) = answer { receipt.learningRates.count } else { 0 }
            return 256 + key.text.utf8.count + 8 * rates
        }
    }

    /// What all answers may take, however many they are.
    static let mostBytes = 1 << 20

    /// The most answers that are kept.
    let most: Int
    /// How long, in seconds.
    let lifetime: Int
    private(set) var entries: [Entry] = []
    private var bytes = 0
    private var inFlight: [Name: RequestKey] = [:]

    init(_ configuration: ServingConfiguration) {
        most = configuration.requestKeys
        lifetime = Int(configuration.keyLifetime.components.seconds)
    }

    /// The stored answer of a request; nil for one that has not been seen.
    ///
    /// Age is judged here and not where the log is applied: a replay must not depend on the clock.
    /// - Throws: `keyReused` for another request under the key, `inFlight` while the first one is under way.
    func find(_ key: RequestKey) throws(ServingError) -> StoredAnswer? {
        let known = entries.last { $0.key.text == key.text && $0.key.time >= key.time - lifetime }
        guard let first = inFlight[key.text] ?? known?.key else { return nil }
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
        if let old = entries.lastIndex(where: { $0.key.text == key.text }) { bytes -= entries.remove(at: old).bytes }
        let entry = Entry(key: key, answer: answer, position: position)
        entries.append(entry)
        bytes += entry.bytes
        while entries.count > most || bytes > Self.mostBytes { bytes -= entries.removeFirst().bytes }
    }

    /// Puts back what an image held; limits that have become smaller since hold at once.
    mutating func restore(_ entries: [Entry]) {
        self.entries = []
        bytes = 0
        for entry in entries { finish(entry.key, entry.answer, at: entry.position) }
    }
}
