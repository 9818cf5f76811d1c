// The fields of a push other than gradients: members in JSON, metadata in safetensors, headers in both; headers take
// precedence. Texts are parsed by the same rules as JSON values, except for a worker's name and a cursor, which are
// always text: `7` and `007` are two workers.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The fields of a push.
struct PushFields {
    private(set) var key: PushKey?
    private(set) var basedOn: Basis?
    private(set) var loss: Double?
    private(set) var examples: Int?
    private(set) var metrics: [Scalar] = []
    private(set) var hyperparameters: Hyperparameters?
    private(set) var isComplete = false
    private var list = ComplaintList(section: "")

    /// All members of a JSON push.
    static let known: [Name] = [
        "gradients", "worker", "epoch", "seq", "based_on", "num_examples", "loss", "metrics", "complete",
        "hyperparameters",
    ]
    private static let headers: [Name: String] = [
        "worker": "X-Paramd-Worker", "epoch": "X-Paramd-Epoch", "seq": "X-Paramd-Seq",
        "based_on": "X-Paramd-Based-On", "num_examples": "X-Paramd-Num-Examples", "loss": "X-Paramd-Loss",
        "hyperparameters": "X-Paramd-Hyperparameters",
    ]

    /// All fields as they were sent, even if they are wrong or unknown; other metadata of a file is not read.
    private(set) var values: [Name: JSONValue] = [:]
    /// The headers of the values that come from headers.
    private var sources: [Name: String] = [:]

    /// The mistakes, the first ones in full.
    var complaints: [Complaint] { list.complaints }

    /// Reads the fields of a body and its headers.
    init(_ body: TensorBody, headers: Headers, layout: ArenaLayout) {
        for member in body.fields where !body.isMetadata || Self.known.contains(member.key) {
            values[member.key] = member.value
        }
        if !body.isMetadata { complainUnknown(body.fields.filter { !Self.known.contains($0.key) }, layout) }
        for (field, header) in Self.headers {
            guard let text = headers[header] else { continue }
            (values[field], sources[field]) = (Self.value(of: text, for: field), header)
        }
        basedOn = readBasis()
        loss = number("loss")
        examples = integer("num_examples", atLeast: 1)
        hyperparameters = readHyperparameters()
        isComplete = boolean("complete")
        readMetrics()
        key = readKey()
    }

    private mutating func readBasis() -> Basis? {
        guard let text = values["based_on"]?.string else { return integer("based_on", atLeast: 0).map(Basis.step) }
        guard let cursor = Cursor(text) else {
            complain(
                "based_on", .valueError,
                "`based_on` must be a step or the cursor of a pull, such as \"0f3a5c71-12\", not \"\(text.prefix(40))\""
            )
            return nil
        }
        return .cursor(cursor)
    }

    /// The value of a field in a header or in safetensors metadata.
    static func value(of text: String, for field: Name) -> JSONValue {
        guard known.contains(field), field != "worker" else { return .string(text) }
        // A cursor whose uid is seven digits and an `e` is a number too: `1234567e-3`.
        if field == "based_on", Cursor(text) != nil { return .string(text) }
        do throws(JSONError) { return try JSONValue(parsing: text.utf8) } catch { return .string(text) }
    }

    private mutating func readKey() -> PushKey? {
        let worker = workerName()
        let seq = integer("seq", atLeast: 1)
        let epoch = integer("epoch", atLeast: 0)
        if values["worker"] != nil, values["seq"] != nil {
            // An unreadable epoch must not become epoch 0: the push would be taken for another one.
            guard let worker, let seq, epoch != nil || values["epoch"] == nil else { return nil }
            return .sequence(worker: worker, epoch: epoch ?? 0, seq: seq)
        }
        if values["epoch"] != nil, values["worker"] == nil {
            complain(
                "worker", .valueError,
                "`epoch` is checked only with a `worker` and a `seq`; send both too, or leave `epoch` out")
        }
        if values["seq"] != nil {
            complain("worker", .valueError, "`seq` numbers the pushes of a worker; send `worker` too")
        }
        if worker != nil {
            complain(
                "seq", .valueError,
                "a push with a `worker` needs a `seq`, so that the worker is counted once and a retry is not applied twice; an `Idempotency-Key` cannot replace it. Send `seq`, or leave out `worker`"
            )
        }
        return nil
    }

    private mutating func workerName() -> Name? {
        guard let value = values["worker"] else { return nil }
        guard let name = value.string, WorkerName.isValid(name) else {
            let exception: ExceptionClass = value.string == nil ? .typeError : .valueError
            complain("worker", exception, "`worker` must be \(WorkerName.rule), not \(Self.words(for: value))")
            return nil
        }
        return Name(name)
    }

    /// The hyperparameters as sent, even if they are wrong: earlier releases had them in the fingerprint of a push.
    private mutating func readHyperparameters() -> Hyperparameters? {
        guard let value = values["hyperparameters"] else { return nil }
        let setting = SettingValue(value)
        guard case .object(let members) = setting else {
            complain(
                "hyperparameters", .typeError,
                #"`hyperparameters` must be an object such as {"learning_rate":0.1}, not \#(Self.words(for: value))"#)
            return Hyperparameters(setting)
        }
        if setting.valueCount > Hyperparameters.mostValues {
            complain(
                "hyperparameters", .valueError,
                "a push can set at most \(Hyperparameters.mostValues) hyperparameters, not \(setting.valueCount); "
                    + "change the model with PATCH")
        }
        return members.isEmpty ? nil : Hyperparameters(setting)
    }

    private mutating func readMetrics() {
        guard let value = values["metrics"] else { return }
        let found = ScalarObject(value, section: "metrics")
        metrics = found.scalars
        for complaint in found.complaints { list.add(complaint) }
    }

    /// The value in a sentence: a text itself, or the kind of value.
    static func words(for value: JSONValue) -> String {
        value.string.map { "the text \"\($0.prefix(40))\"" } ?? value.kind
    }

    private mutating func integer(_ field: Name, atLeast least: Int) -> Int? {
        guard let value = values[field] else { return nil }
        guard let integer = value.integer.map(Int.init), (least...FixedLimits.largestInteger).contains(integer) else {
            let exception: ExceptionClass = value.integer == nil ? .typeError : .valueError
            complain(
                field.text, exception,
                "`\(field)` must be a whole number from \(least) to \(FixedLimits.largestInteger)")
            return nil
        }
        return integer
    }

    private mutating func number(_ field: Name) -> Double? {
        guard let value = values[field] else { return nil }
        guard let number = value.number, number.isFinite else {
            complain(field.text, .typeError, "`\(field)` must be a finite number, not \(Self.words(for: value))")
            return nil
        }
        return number
    }

    private mutating func boolean(_ field: Name) -> Bool {
        guard let value = values[field] else { return false }
        guard let flag = value.bool else {
            complain(field.text, .typeError, "`\(field)` must be true or false, not \(value.kind)")
            return false
        }
        return flag
    }

    private mutating func complainUnknown(_ members: [JSONMember], _ layout: ArenaLayout) {
        let misplaced = members.filter { layout.index(of: $0.key) != nil }
        let line = misplaced.isEmpty ? "" : Self.line(misplaced)
        for (place, member) in members.enumerated() {
            let detail =
                layout.index(of: member.key) != nil
                ? "`\(member.key)` is a parameter; send its gradient under `gradients`, such as \(line)"
                : "unknown field `\(member.key)`"
                    + (place < FixedLimits.suggestions ? "; \(Self.hint(for: member))" : "")
            complain(member.key.pointerEscaped, .keyError, detail)
        }
    }

    private static func hint(for member: JSONMember) -> String {
        let isGradients = NearestNames.of(member.key, among: known).first == "gradients"
        return NearestNames.hint(member.key, among: known)
            + (isGradients ? " Write \(line(member.value.members ?? []))." : "")
    }

    /// The body of a push with these gradients, or with a placeholder if they are long.
    private static func line(_ gradients: [JSONMember]) -> String {
        let entry = SettingValue.Entry(key: "gradients", value: SettingValue(.object(gradients)))
        return "`\(SettingValue.object([entry]).line ?? #"{"gradients":{"NAME":[...]}}"#)`"
    }

    /// Adds a mistake in a field, named as the request has it.
    private mutating func complain(_ field: String, _ exception: ExceptionClass, _ detail: String) {
        let header = sources[Name(field)]
        var complaint = Complaint(pointer: field.isEmpty ? "" : "/\(field)", exception: exception, detail: detail)
        if let header {
            (complaint.header, complaint.detail) = (header, detail.replacing("`\(field)`", with: "`\(header)`"))
        }
        list.add(complaint)
    }
}
