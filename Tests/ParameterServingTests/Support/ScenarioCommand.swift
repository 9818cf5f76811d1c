// A line of a scenario: a verb, words, and settings such as `lr=0.5`, `w=[1,2]` or `worker=a`. Also the core's answers
// as lines.

import Names
import Optimizers

@testable import ParameterServing

/// A line of a scenario, in parts.
struct ScenarioCommand {
    let verb: String
    /// The words without `=`; the first names the model that the command is about.
    let words: [String]
    private let members: [(key: String, value: String)]

    private static let own: Set = [
        "worker", "seq", "epoch", "key", "at", "if-version", "if-uid", "group", "as", "examples", "round", "ttl",
    ]

    init(_ line: String) {
        let parts = line.split { $0 == " " }.map(String.init)
        verb = parts.first ?? ""
        words = parts.dropFirst().filter { !$0.contains("=") }
        members = parts.compactMap { part in
            part.firstIndex(of: "=").map { (String(part[..<$0]), String(part[part.index(after: $0)...])) }
        }
    }

    var name: String { words.first ?? "" }

    /// The command that follows the verb.
    var inner: ScenarioCommand {
        ScenarioCommand((words + members.map { "\($0.key)=\($0.value)" }).joined(separator: " "))
    }

    func text(_ key: String) -> String? { members.first { $0.key == key }?.value }

    func integer(_ key: String) -> Int? { text(key).flatMap { Int($0) } }

    var pushKey: PushKey? {
        text("worker").map { seq(integer("seq") ?? 1, Name($0), epoch: integer("epoch") ?? 0) }
    }

    /// The step or version at which a gradient was computed.
    func basis(of uid: ModelUID) -> Basis? {
        if let version = integer("since") { return .cursor(Cursor(uid: uid, version: version)) }
        return integer("at").map { .step($0) }
    }

    private static func numbers(_ text: String) -> [Float]? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        return text.dropFirst().dropLast().split(separator: ",").map { Float($0) ?? .nan }
    }

    /// The members whose values are in brackets, by name.
    var tensors: [Name: [Float]] {
        var tensors: [Name: [Float]] = [:]
        for (key, value) in members { tensors[Name(key)] = Self.numbers(value) }
        return tensors
    }

    /// All settings that do not describe the request, as the body of a patch or a definition.
    var settings: SettingValue {
        let mode = members.filter { $0.key.hasPrefix("consistency.") }
        let consistency = SettingValue.Entry(
            key: "consistency",
            value: .object(
                mode.map { SettingValue.Entry(key: Name($0.key.dropFirst(12)), value: Self.value($0.value)) }))
        return .object(
            (mode.isEmpty ? [] : [consistency])
                + members.filter {
                    !Self.own.contains($0.key) && !$0.key.contains(".") && Self.numbers($0.value) == nil
                }
                .map { SettingValue.Entry(key: Name($0.key), value: Self.value($0.value)) })
    }

    /// The hyperparameters of a push: `bring.learning_rate=0.1`; nil if it has none.
    var hyperparameters: Hyperparameters? {
        let brought = members.filter { $0.key.hasPrefix("bring.") }.map {
            SettingValue.Entry(key: Name($0.key.dropFirst(6)), value: Self.value($0.value))
        }
        return brought.isEmpty ? nil : Hyperparameters(.object(brought))
    }

    /// The parameters and rows of `grow NAME x=[1,2] rows.w=3 group=...`; rows are ones.
    var growth: Growth {
        let values = members.compactMap { member in Self.numbers(member.value).map { (Name(member.key), $0) } }
        let rows = members.filter { $0.key.hasPrefix("rows.") }.map {
            Growth.Rows(Name($0.key.dropFirst(5)), count: Int($0.value) ?? 0, initial: "ones")
        }
        return Growth(
            added: ModelDefinition.of(.object([]), values).parameters, group: text("group").map { Name($0) }, rows: rows
        )
    }

    private static func value(_ text: String) -> SettingValue {
        if text == "null" { return .null }
        return Int(text).map { .integer($0) } ?? Double(text).map { .number($0) } ?? .string(text)
    }

    /// `create NAME OPTIMIZER optimizer.momentum=... learning_rate=... w=[...]`.
    func definition() throws -> ModelDefinition {
        let values = members.compactMap { member in Self.numbers(member.value).map { (Name(member.key), $0) } }
        var optimizer = [SettingValue.Entry(key: "type", value: .string(words[1]))]
        for (key, value) in members where key.hasPrefix("optimizer.") {
            optimizer.append(SettingValue.Entry(key: Name(key.dropFirst(10)), value: Self.value(value)))
        }
        return .of(
            .object(settings.entries + [SettingValue.Entry(key: "optimizer", value: .object(optimizer))]), values)
    }
}

extension [Float?] {
    fileprivate var text: String { "[\(map { $0.map(short) ?? "own" }.joined(separator: ","))]" }
}

/// A number as a person would write it.
private func short(_ number: Float) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }

extension PublishedVersion {
    /// The version, the step and the values.
    var line: String {
        let texts = facts.layout.parameters.enumerated().map { index, parameter in
            "\(parameter.name)=\(values(at: index).map { Optional($0) }.text)"
        }
        return "version \(version), step \(step), \(texts.joined(separator: " "))"
    }
}

extension ModelState {
    var line: String { "\(facts.name) \(published.line)\(divergence.map { ", diverged at \($0)" } ?? "")" }
}

extension ModelEvent {
    /// Its kind, and why a worker left.
    var line: String {
        if case .workerLeft(let worker, let epoch, let reason) = self {
            "\(kind.rawValue): \(worker) of epoch \(epoch), \(reason)"
        } else {
            kind.rawValue
        }
    }
}

extension Command {
    var sighting: Sighting? {
        switch self {
        case .push(let push): push.sighting
        case .register(_, let sighting): sighting
        case .report(let report): report.sighting
        case .keyed(_, _, let command): command.sighting
        case .admitted(_, let time): Sighting(time: time)
        case .closeRound, .importValues, .reconfigure, .grow, .restore, .endLeases, .dismiss, .note: nil
        }
    }
}

extension [Complaint] {
    fileprivate var line: String { map { "\($0.pointer): \($0.detail)" }.joined(separator: "; ") }
}

extension ServingError {
    /// The refused command, and the reason.
    var line: String {
        switch self {
        case .invalid(let complaints): "refused: \(complaints.line)"
        case .modelDiffers(_, let complaints): "refused, the model differs: \(complaints.line)"
        case .modelUnavailable(let model): "refused, \(model.name) is not served: \(model.reason)"
        default: "refused: \(self)"
        }
    }
}

extension Sighting {
    var line: String { "\(time)\(expires.map { ", expires \($0)" } ?? "")" }
}

extension StoredAnswer {
    var line: String {
        switch self {
        case .receipt(let receipt): receipt.line
        case .changed(let step, let version): "version \(version), step \(step)"
        case .registered(let epoch, let lastSeq): "epoch \(epoch), last seq \(lastSeq)"
        case .saved, .removed, .created, .deleted: "\(self)"
        }
    }
}

extension Receipt {
    fileprivate var line: String {
        if let round, round.state != .closed {
            let wanted = round.needed.map { " of \($0)" } ?? ""
            return
                "\(round.state.line): \(round.received)\(wanted), for step \(round.step)\(gap > 0 ? ", gap \(gap)" : "")"
        }
        var parts = [
            applied ? "applied" : "skipped", "step \(step)", "version \(version)", "lr \(learningRates.text)",
            "norm \(short(Float(gradientNorm)))",
        ]
        if let brought = hyperparameters { parts.append("brought \(brought.setting.line ?? "much")") }
        if let staleness, staleness > 0 { parts.append("staleness \(staleness)") }
        if isFromLeftBranch { parts.append("from a branch that was left") }
        if let round { parts.append("round of \(round.received)") }
        if gap > 0 { parts.append("gap \(gap)") }
        return parts.joined(separator: ", ")
    }
}

extension RoundReceipt.State {
    fileprivate var line: String {
        if case .dropped(let reason) = self { "dropped, \(reason)" } else { "\(self)" }
    }
}
