// When pushes are applied: the member `consistency` of a definition. Each mode is a value in a file of its own that
// decides about one push from the open round; this file reads the member and names the modes.

import Names
import Optimizers

/// The consistency of a model.
public enum Consistency: Sendable, Equatable {
    /// Each push is an update.
    case async(Asynchronous)
    /// The pushes of all workers are one update.
    case sync(Synchronous)
    /// Each push is an update, and no worker may run far ahead.
    case ssp(StaleSynchronous)
    /// Pushes are held until `POST step`.
    case manual(Manual)

    /// The consistency of a model without the member.
    static let standard = Consistency.async(Asynchronous())

    /// The names of the modes.
    private static let modes: [Name] = ["async", "sync", "ssp", "manual"]

    /// Reads the consistency of a definition.
    ///
    /// - Throws: `.invalid` for an unknown mode, an unknown member, or a value out of range.
    public init(of definition: SettingValue) throws(OptimizerError) {
        guard let setting = definition["consistency"] else {
            self = .standard
            return
        }
        try self.init(setting)
    }

    /// Reads the value of the member.
    ///
    /// - Throws: `.invalid`, as above.
    public init(_ setting: SettingValue) throws(OptimizerError) {
        guard case .object = setting else {
            throw Self.complaint(
                "", .typeError, "`consistency` must be an object such as {\"mode\":\"async\"}; got \(setting.kind).")
        }
        let mode = setting["mode"]?.stringValue.map { Name($0) }
        let reader = SettingReader(
            setting, pointer: "/consistency", owner: "`consistency` of mode \"\(mode?.text ?? "")\"", known: ["mode"])
        switch mode {
        case "async"?: self = .async(try Asynchronous(reader))
        case "sync"?: self = .sync(try Synchronous(reader))
        case "ssp"?: self = .ssp(try StaleSynchronous(reader))
        case "manual"?: self = .manual(try Manual(reader))
        default: throw Self.unknown(setting["mode"])
        }
        try reader.finish(.keyError)
    }

    private static func unknown(_ mode: SettingValue?) -> OptimizerError {
        let words = "\"async\", \"sync\", \"ssp\" or \"manual\""
        guard let mode else {
            return complaint("/mode", .typeError, "`consistency` needs `mode`, which is \(words).")
        }
        guard let text = mode.stringValue else {
            return complaint("/mode", .typeError, "`mode` must be \(words); got \(mode.kind).")
        }
        return complaint(
            "/mode", .valueError, "`mode` must be \(words); \(NearestNames.hint(Name(text), among: modes))")
    }

    private static func complaint(_ place: String, _ exception: ExceptionClass, _ detail: String) -> OptimizerError {
        .invalid(Complaint(pointer: "/consistency\(place)", exception: exception, detail: detail))
    }

    /// The mode as a value that decides.
    var policy: any ConsistencyPolicy {
        switch self {
        case .async(let policy): policy
        case .sync(let policy): policy
        case .ssp(let policy): policy
        case .manual(let policy): policy
        }
    }

    /// The name of the mode.
    public var mode: Name {
        switch self {
        case .async: "async"
        case .sync: "sync"
        case .ssp: "ssp"
        case .manual: "manual"
        }
    }

    /// Whether pushes are held and reduced, so that their gradients are unscaled before anything else is done.
    public var hasRounds: Bool {
        switch self {
        case .async, .ssp: false
        case .sync, .manual: true
        }
    }

    /// Whether late pushes are refused or scaled, which needs their `based_on`.
    public var judgesLateness: Bool { policy.judgesLateness }

    /// Whether rounds wait for every registered worker.
    var waitsForRegistered: Bool {
        if case .sync(let policy) = self { policy.participants == .registered } else { false }
    }

    /// The consistency with its defaults written out: equal for settings with the same meaning.
    var canonical: SettingValue { written(policy.members) }

    /// As earlier releases compared it where `min_pushes` was written out; nil if they had no other form.
    var canonicalWithMinPushes: SettingValue? {
        guard case .sync(let policy) = self, policy.minPushes == nil, let count = policy.fullRound else { return nil }
        return written(policy.members(minPushes: count))
    }

    private func written(_ members: [(Name, SettingValue)]) -> SettingValue {
        let members = members.map { SettingValue.Entry(key: $0.0, value: $0.1) }
        return .object([SettingValue.Entry(key: "mode", value: .string(mode.text))] + members)
    }
}
