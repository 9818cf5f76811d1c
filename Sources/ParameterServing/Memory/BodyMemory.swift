// What bodies on their way in hold of the memory budget, counted for the model that they are for and for the address that
// they come from: those of one leave room for those of others. `MemoryBudget` is asked beside it.

import Threading

/// The memory that bodies hold, by model and by address.
public final class BodyMemory: Sendable {
    /// Whose bodies are counted together.
    public enum Party: Hashable, Sendable, CustomStringConvertible {
        case model(String)
        case address(String)

        /// As sentences name it.
        public var description: String {
            switch self {
            case .model(let name): "model `\(name)`"
            case .address(let name): "address \(name)"
            }
        }
    }

    /// Where a proxy on this machine has its connections from: they are those of many clients.
    private static let proxyAddresses: Set = ["127.0.0.1", "::1", "local"]

    private let limitOfModel: Int
    private let limitOfAddress: Int
    private let held = Locked([Party: Int]())

    init(_ configuration: ServingConfiguration) {
        limitOfModel = configuration.memoryLimit / 100 * configuration.bodyPercentOfModel
        limitOfAddress = configuration.memoryLimit / 100 * configuration.bodyPercentOfAddress
    }

    /// What one body holds, which is nothing at first.
    ///
    /// - Parameters:
    ///   - model: the name of the model that it is for; nil for none.
    ///   - address: where it comes from.
    public func share(of model: String?, from address: String) -> BodyShare {
        var parties: [Party] = []
        if let model { parties.append(.model(model)) }
        if !Self.proxyAddresses.contains(address) { parties.append(.address(address)) }
        return BodyShare(parties: parties, memory: self)
    }

    /// Bytes that the bodies of a party hold now.
    func held(by party: Party) -> Int { held.withLock { $0[party, default: 0] } }

    private func limit(of party: Party) -> Int {
        if case .model = party { limitOfModel } else { limitOfAddress }
    }

    /// Counts `bytes` more for a body that holds `own` already; one that is alone is bounded by the budget only.
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

/// What one body holds; given back when the last reference goes.
public final class BodyShare: Sendable {
    /// Whose bodies it is counted with.
    public let parties: [BodyMemory.Party]
    private let memory: BodyMemory
    private let bytes = Locked(0)

    fileprivate init(parties: [BodyMemory.Party], memory: BodyMemory) {
        self.parties = parties
        self.memory = memory
    }

    deinit { memory.release(bytes.withLock { $0 }, of: parties) }

    /// Counts `more` bytes, which the budget has room for; one thread at a time.
    ///
    /// - Throws: `ServingError.bodiesTooLarge` where the party's bodies would hold too much together; nothing is counted then.
    public func grow(by more: Int) throws(ServingError) {
        try memory.take(more, beside: bytes.withLock { $0 }, for: parties)
        bytes.withLock { $0 += more }
    }

    /// Gives back a part of what has been counted.
    public func shrink(by less: Int) {
        bytes.withLock { $0 -= less }
        memory.release(less, of: parties)
    }
}
