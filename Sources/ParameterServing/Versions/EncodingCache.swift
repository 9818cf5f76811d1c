// A pull's answer is the same for all who ask for it: it is encoded once per version and shared. The first who asks
// encodes, outside the lock; another thread that asks meanwhile waits for it, which takes no longer than encoding again.

import Threading

/// Bytes that are ready to be sent, kept alive by whoever sends them.
public protocol Encoding: AnyObject, Sendable {}

/// The encodings of one version, each made at most once.
public final class EncodingCache: Sendable {
    private enum Slot {
        case underWay
        case ready(any Encoding)
    }

    /// A version keeps this many representations; asking for ever new selections must not fill the memory.
    private static let mostEntries = 32
    private let slots = Locked<[String: Slot]>([:])
    private let isReady = Condition()

    init() {}

    /// The encoding called `key`.
    ///
    /// - Parameters:
    ///   - key: names the representation and the selection.
    ///   - make: encodes; called on the caller's thread, outside all locks, and only if nobody else has or does.
    /// - Throws: what `make` throws; the next who asks tries again.
    public func encoding<Result: Encoding, Failure: Error>(
        _ key: String, make: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let found = claim(key) as? Result { return found }
        defer { isReady.broadcast() }
        do throws(Failure) {
            let made = try make()
            slots.withLock { if $0[key] != nil { $0[key] = .ready(made) } }
            return made
        } catch {
            slots.withLock { $0[key] = nil }
            throw error
        }
    }

    /// Forgets what is ready: an earlier version is asked for seldom.
    func clear() {
        slots.withLock { slots in
            slots = slots.filter { if case .underWay = $0.value { true } else { false } }
        }
    }

    /// The encoding that somebody made; nil when the caller has to make it.
    private func claim(_ key: String) -> (any Encoding)? {
        slots.wait(for: isReady) { slots -> (any Encoding)?? in
            switch slots[key] {
            case .ready(let encoding): return .some(encoding)
            case .underWay: return .none
            case nil:
                if slots.count < Self.mostEntries { slots[key] = .underWay }
                return .some(nil)
            }
        }
    }
}
