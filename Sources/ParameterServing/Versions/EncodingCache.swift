// The answer to a pull is the same for all clients, so it is encoded once per version and shared. The first request
// makes it; requests in the meantime are notified when it is ready. No thread waits.

import Threading

/// A finished answer and the owner of its bytes.
public protocol Encoding: AnyObject, Sendable {}

/// The encodings of one version, each made at most once.
public final class EncodingCache: Sendable {
    /// The result of a request for an encoding.
    public typealias Use<Form: Encoding> = @Sendable (Result<Form, ServingError>) -> Void

    private enum Slot {
        case underWay(AnyObject)
        case ready(any Encoding)
    }

    /// The requests waiting for an encoding: a class, so that thousands can be added without copies.
    private final class Audience<Form: Encoding> {
        var uses: [Use<Form>]

        init(_ first: @escaping Use<Form>) { uses = [first] }
    }

    /// The state of an encoding.
    public enum Claim<Form: Encoding> {
        /// It is ready.
        case ready(Form)
        /// It is being made; the caller will be notified.
        case waits
        /// The caller must make it and call `settle`, which notifies the caller too.
        case make
        /// The caller must make it for itself.
        case makeAlone
    }

    /// The most encodings that a version keeps, so that requests with ever new selections do not fill the memory.
    public static let mostEntries = 32
    private let slots = Locked<[String: Slot]>([:])

    init() {}

    /// The encoding with the given key, or who makes it; a request for another type under a key makes its own.
    ///
    /// - Parameters:
    ///   - key: identifies the representation and the selection.
    ///   - use: receives the encoding once it is made, on the thread that made it.
    public func claim<Form: Encoding>(_ key: String, _ use: @escaping Use<Form>) -> Claim<Form> {
        slots.withLock { slots in
            switch slots[key] {
            case .ready(let encoding): return (encoding as? Form).map(Claim.ready) ?? .makeAlone
            case .underWay(let audience):
                guard let audience = audience as? Audience<Form> else { return .makeAlone }
                audience.uses.append(use)
                return .waits
            case nil:
                guard slots.count < Self.mostEntries else { return .makeAlone }
                slots[key] = .underWay(Audience(use))
                return .make
            }
        }
    }

    /// Stores a finished encoding and notifies all requests that wait for it; after a failure the next request tries
    /// again.
    public func settle<Form: Encoding>(_ key: String, _ result: Result<Form, ServingError>) {
        let uses: [Use<Form>] = slots.withLock { slots in
            guard case .underWay(let waiting) = slots[key], let audience = waiting as? Audience<Form> else { return [] }
            slots[key] = (try? result.get()).map(Slot.ready)
            return audience.uses
        }
        for use in uses { use(result) }
    }

    /// Drops finished encodings: earlier versions are rarely requested.
    func clear() {
        slots.withLock { slots in
            slots = slots.filter { if case .underWay = $0.value { true } else { false } }
        }
    }
}
