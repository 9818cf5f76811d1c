// A pull's answer is the same for all who ask for it: it is encoded once per version and shared. The first who asks has it
// made; who asks meanwhile is told when it is ready. No thread waits.

import Threading

/// An answer that is ready to be sent, with what keeps its bytes alive.
public protocol Encoding: AnyObject, Sendable {}

/// The encodings of one version, each made at most once.
public final class EncodingCache: Sendable {
    /// What a request for an encoding comes to.
    public typealias Use<Form: Encoding> = @Sendable (Result<Form, ServingError>) -> Void

    private enum Slot {
        case underWay(AnyObject)
        case ready(any Encoding)
    }

    /// Who waits for an encoding: a class, so that thousands may come without a copy for each.
    private final class Audience<Form: Encoding> {
        var uses: [Use<Form>]

        init(_ first: @escaping Use<Form>) { uses = [first] }
    }

    /// What is known of an encoding.
    public enum Claim<Form: Encoding> {
        /// It is there.
        case ready(Form)
        /// It is being made; the caller is told.
        case waits
        /// The caller has to make it, and to `settle`, which tells the caller too.
        case make
        /// The caller has to make it for itself.
        case makeAlone
    }

    /// A version keeps this many representations; asking for ever new selections must not fill the memory.
    public static let mostEntries = 32
    private let slots = Locked<[String: Slot]>([:])

    init() {}

    /// The encoding called `key`, or how it comes about; who asks for another form under a key makes it alone.
    ///
    /// - Parameters:
    ///   - key: names the representation and the selection.
    ///   - use: takes the encoding once someone has made it, on the thread of the one who did.
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

    /// Keeps what has been made, and tells all who wait for it; after a failure the next who asks tries again.
    public func settle<Form: Encoding>(_ key: String, _ result: Result<Form, ServingError>) {
        let uses: [Use<Form>] = slots.withLock { slots in
            guard case .underWay(let waiting) = slots[key], let audience = waiting as? Audience<Form> else { return [] }
            slots[key] = (try? result.get()).map(Slot.ready)
            return audience.uses
        }
        for use in uses { use(result) }
    }

    /// Forgets what is ready: an earlier version is asked for seldom.
    func clear() {
        slots.withLock { slots in
            slots = slots.filter { if case .underWay = $0.value { true } else { false } }
        }
    }
}
