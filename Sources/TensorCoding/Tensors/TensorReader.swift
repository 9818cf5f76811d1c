// One tensor of a JSON body, in any of its forms. `JSONBodyReader` passes the tokens of the tensor's subtree; numbers
// go to the sink's memory, and members that the reader does not know are returned to be copied.

import Names

/// Reads the tensors of a body one after another.
struct TensorReader {
    /// The members of a tensor's object that contain its values.
    enum Member: String {
        case data, b64, values, indices, shape, dtype
    }

    /// What the next token belongs to.
    enum Stage {
        /// The tensor itself: a number, a list or an object.
        case tensor
        /// The tensor's object: a key, or its end.
        case object
        /// The value of a member, its first token.
        case member(Member)
        /// Nested numbers of a tensor (nil) or of a member.
        case numbers(Member?)
        /// A list of integers: a shape or indices.
        case integers(Member)
        /// A value that cannot be used; it ends when the lexer returns to that depth.
        case passing(depth: Int, next: After)
        /// An unknown member, which the body reader copies; it ends in the same way.
        case field(depth: Int)
    }

    /// Where reading continues after a value.
    enum After { case object, done }

    /// What the body reader does after a token.
    enum Effect {
        case none, copyField(key: [UInt8]), endField, done
    }

    let sink: any TensorSink
    var stage = Stage.tensor
    var tensor = DecodedTensor(name: "")
    var section: Name = ""
    var nesting = NestedShape()
    var output = TensorOutput(.nowhere)
    var hasOutput = false
    var rows = TensorOutput(.nowhere)
    var stated: [Int]?
    var indices: [Int]?
    var indexAllowance = 0
    var encoded = EncodedValues()
    var inferred: [Int]?
    var seen: Set<Member> = []
    var hasIssue = false
    /// Whether the tensor may contain integers.
    private(set) var use = IntegerUse.refused
    /// Whether a number so far has a fraction or an exponent; matters if an integer type follows.
    var hasFraction = false
    /// Whether many values came before their type, and wait for `takeEarlyValues`.
    var hasEarlyValues = false

    init(sink: any TensorSink) {
        self.sink = sink
    }

    /// Starts a tensor: its key has been read.
    mutating func begin(name: Name, section: Name) {
        self = TensorReader(sink: sink)
        self.section = section
        tensor.name = name
        tensor.pointer = "/" + section.pointerEscaped + "/" + name.pointerEscaped
        use = sink.integers(for: name)
    }

    /// Whether the next token should be a number, so that a run of numbers can be read at once.
    var isAmongNumbers: Bool {
        if case .numbers = stage { !checksIntegers } else { false }
    }

    /// The rule for each number.
    var rule: IntegerRule { IntegerRule(encoded.type, use.type) }

    /// Whether each number is checked.
    var checksIntegers: Bool { use.type != nil || encoded.type?.isInteger ?? false }

    /// Reads the next token of the subtree.
    mutating func take(
        _ token: JSONToken, _ lexer: inout JSONLexer, _ issues: inout IssueList
    ) throws(JSONError) -> Effect {
        switch stage {
        case .tensor: return takeTensor(token, lexer, &issues)
        case .object: return try takeKey(token, &lexer, &issues)
        case .member(let member): return takeMember(member, token, &lexer, &issues)
        case .numbers(let member): return takeNumber(of: member, token, lexer, &issues)
        case .integers(let member): return takeInteger(of: member, token, lexer, &issues)
        case .passing(let depth, let next):
            guard lexer.depth == depth, token != .text else { return .none }
            return next == .done ? finish(&issues) : resumeObject()
        case .field(let depth):
            guard lexer.depth == depth, token != .text else { return .none }
            stage = .object
            return .endField
        }
    }

    private mutating func takeTensor(_ token: JSONToken, _ lexer: JSONLexer, _ issues: inout IssueList) -> Effect {
        switch token {
        case .beginObject:
            stage = .object
            return .none
        case .beginArray, .number:
            prepareOutput(for: nil)
            stage = .numbers(nil)
            return takeNumber(of: nil, token, lexer, &issues)
        default:
            report(
                .notANumber,
                token == .null
                    ? "null is not a tensor (Python sends it for a p.grad that is None); leave `\(tensor.name)` out"
                    : "a tensor must be a number, nested lists of numbers or an object, not \(token.noun)",
                got: token.noun, &issues)
            return finish(&issues)
        }
    }

    private mutating func takeKey(
        _ token: JSONToken, _ lexer: inout JSONLexer, _ issues: inout IssueList
    ) throws(JSONError) -> Effect {
        guard token == .key else { return finish(&issues) }
        let key = String(decoding: lexer.text, as: UTF8.self)
        guard let member = Member(rawValue: key == "datatype" ? "dtype" : key) else {
            stage = .field(depth: lexer.depth)
            return .copyField(key: lexer.text)
        }
        guard seen.insert(member).inserted else { throw lexer.error(.duplicateKey(key)) }
        stage = .member(member)
        lexer.stringMode = member == .b64 ? .stream : member == .dtype ? .keep : .drop
        return .none
    }

    private mutating func takeMember(
        _ member: Member, _ token: JSONToken, _ lexer: inout JSONLexer, _ issues: inout IssueList
    ) -> Effect {
        if token != .text { lexer.stringMode = .drop }
        switch (member, token) {
        case (.data, .number), (.data, .beginArray), (.values, .beginArray):
            prepareOutput(for: member)
            stage = .numbers(member)
            return takeNumber(of: member, token, lexer, &issues)
        case (.shape, .beginArray):
            stated = []
            stage = .integers(member)
        case (.indices, .beginArray):
            indices = []
            stage = .integers(member)
        case (.b64, .text), (.b64, .string):
            takeBase64(lexer.text)
        case (.dtype, .string):
            takeElementType(lexer.text, &issues)
        default:
            return refuse(member, token, lexer, &issues)
        }
        return token == .string ? resumeObject() : .none
    }

    private mutating func refuse(
        _ member: Member, _ token: JSONToken, _ lexer: JSONLexer, _ issues: inout IssueList
    ) -> Effect {
        report(
            member.issueKind, at: member.rawValue, "`\(member.rawValue)` must be \(member.noun), not \(token.noun)",
            expected: member.noun, got: token.noun, &issues)
        return pass(token, lexer, then: .object, &issues)
    }

    /// Skips the rest of a value that starts with `token`.
    mutating func pass(
        _ token: JSONToken, _ lexer: JSONLexer, then next: After, _ issues: inout IssueList
    ) -> Effect {
        if token == .beginArray || token == .beginObject || token == .text {
            stage = .passing(depth: token == .text ? lexer.depth : lexer.depth - 1, next: next)
            return .none
        }
        return next == .done ? finish(&issues) : resumeObject()
    }

    mutating func resumeObject() -> Effect {
        stage = .object
        return .none
    }

    /// Reports a mistake in this tensor.
    mutating func report(
        _ kind: TensorIssue.Kind, at member: String = "", _ detail: String, expected: String? = nil, got: String? = nil,
        _ issues: inout IssueList
    ) {
        hasIssue = true
        let pointer = tensor.pointer + (member.isEmpty ? "" : "/" + member)
        issues.add(TensorIssue(kind, at: pointer, detail, expected: expected, got: got))
    }
}

extension TensorReader.Member {
    /// The expected value of the member.
    var noun: String {
        switch self {
        case .data: "a number or lists of numbers"
        case .b64: "a base64 string"
        case .values: "a list of rows"
        case .indices: "a list of integers"
        case .shape: "a list of integers"
        case .dtype: "one of F32, F16, BF16, F64"
        }
    }

    var issueKind: TensorIssue.Kind {
        switch self {
        case .data, .values: .notANumber
        case .b64: .base64
        case .indices: .indices
        case .shape: .shape
        case .dtype: .elementType
        }
    }
}

extension JSONToken {
    /// The value that starts with the token, in the words of a message.
    var noun: String {
        switch self {
        case .beginObject, .endObject, .key: "an object"
        case .beginArray, .endArray: "a list"
        case .string, .text: "a string"
        case .number: "a number"
        case .true: "true"
        case .false: "false"
        case .null: "null"
        }
    }
}

extension JSONToken {
    /// The likely origin of such a value among numbers, for a message; empty if unknown.
    var origin: String {
        self == .null
            ? "; JSON.stringify writes null for NaN and Infinity, so find where the values stop being finite" : ""
    }
}
