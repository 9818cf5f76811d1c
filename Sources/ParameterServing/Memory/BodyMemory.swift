// The share of the memory budget held by incoming bodies, counted per model and per address: those of one party leave
// room for others. `MemoryBudget` is asked as well.

import Threading

/// The memory of bodies, by model and by address.
public final class BodyMemory: Sendable {
    /// The party whose bodies are counted together.
    public enum Party: Hashable, Sendable, CustomStringConvertible {
        case model(String)
        case address(String)

        /// Its name in messages.
        public var description: String {
            switch self {
            case .model(let name): "model `\(name)`"
            case .address(let name): "address \(name)"
            }
        }
    }

    /// Connections from a proxy on this machine belong to many clients.
    private static let proxyAddresses: Set = ["127.0.0.1", "::1", "local"]

    private let limitOfModel: Int
    private let limitOfAddress: Int
    private let held = Locked([Party: Int]())

    init(_ configuration: ServingConfiguration) {
        limitOfModel = configuration.memoryLimit / 100 * configuration.bodyPercentOfModel
        limitOfAddress = configuration.memoryLimit / 100 * configuration.bodyPercentOfAddress
    }

    /// Opens the account of one body.
    ///
    /// - Parameters:
    ///   - model: the name of its model; nil if it has none.
    ///   - address: the address that it comes from.
    public func share(of model: String?, from address: String) -> BodyShare {
        var parties: [Party] = []
        if let model { parties.append(.model(model)) }
        if !Self.proxyAddresses.contains(address) { parties.append(.address(address)) }
        return BodyShare(parties: parties, memory: self)
    }

    /// The bytes that the party's bodies hold now.
    func held(by party: Party) -> Int { held.withLock { $0[party, default: 0] } }

    private func limit(of party: Party) -> Int {
        if case .model = party { limitOfModel } else { limitOfAddress }
    }

    /// Counts `bytes` more for a body that already holds `own`; a single body is limited only by the budget.
    fileprivate func take(_ bytes: Int, beside own: Int, for parties: [Party]) throws(ServingError) {
        let full = held.withLock { held -> Party? in
            let full = parties.first { party in
                let all = held[party, default: 0]
                return all > own && bytes > limit(of: party) - all
            }
            if full == nil { for party in parties { held[party, default: 0] += bytes } }
            return full
        }
        if let full { throw .bodiesTooLarge(of: full, needed: bytes, limit: limit(of: full)) }
    }

    fileprivate func release(_ bytes: Int, of parties: [Party]) {
        held.withLock { held in
            for party in parties {
                let left = held[party, default: 0] - bytes
                held[party] = left > 0 ? left : nil
            }
        }
    }
}

/// The memory of one body; returned when the last reference is released.
public final class BodyShare: Sendable {
    /// The parties that it is counted for.
    public let parties: [BodyMemory.Party]
    private let memory: BodyMemory
    private let bytes = Locked(0)

    fileprivate init(parties: [BodyMemory.Party], memory: BodyMemory) {
        self.parties = parties
        self.memory = memory
    }

    deinit { memory.release(bytes.withLock { $0 }, of: parties) }

    /// Counts `more` bytes, which the budget has room for.
    ///
    /// Called by one thread at a time.
    ///
    /// - Throws: `ServingError.bodiesTooLarge` if the party's bodies would hold too much; nothing is counted then.
    public func grow(by more: Int) throws(ServingError) {
        try memory.take(more, beside: bytes.withLock { $0 }, for: parties)
        bytes.withLock { $0 += more }
    }

    /// Returns part of what has been counted.
    public func shrink(by less: Int) {
        bytes.withLock { $0 -= less }
        memory.release(less, of: parties)
    }
}
