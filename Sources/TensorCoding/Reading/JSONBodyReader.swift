// Reads a JSON body in chunks: tensors go to their destination, the rest becomes a small document. `HTTPServing` passes
// the chunks of a push, `TensorReader` writes float32 to the sink's memory, and jansson sees only the envelope.

import Names

/// Reads one JSON body.
///
/// The lexer validates every byte (RFC 8259, UTF-8, escapes, depth, NUL). Members of the objects under `tensorKeys` are
/// tensors; their numbers never become objects. The rest is copied into an envelope that jansson parses at the end.
/// - A text that is not JSON, or exceeds a limit, stops the reading with a `JSONError`.
/// - A mistake in a tensor is a `TensorIssue`; reading continues, because a syntax error may follow.
/// - Memory: the envelope and the sink's own; none per number.
public struct JSONBodyReader: ~Copyable {
    /// What the next token belongs to.
    private enum Place {
        /// The document outside the tensors.
        case envelope
        /// The value of a tensor key, its first token.
        case section
        /// The object of tensors: a name, or its end.
        case names
        /// A tensor.
        case tensor
        /// A section that is not an object.
        case passing
    }

    private var lexer: JSONLexer
    private var envelope: Envelope
    private var reader: TensorReader
    private var issues: IssueList
    private var tensors: [DecodedTensor] = []
    private var place = Place.envelope
    private var section: Name = ""
    private var hasFields = false  // of the tensor being read
    // The temporary cost of a value, in jansson and as `JSONValue`; an empty object costs the most.
    private static let (bytesPerNumber, bytesPerValue) = (112, 320)
    // Bytes of the envelope that need no approval; beyond them the sink is asked piece by piece. The same holds for
    // tensors.
    private static let envelopePiece = 32 << 10
    private static let (tensorPiece, bytesPerTensor) = (64, 1024)

    private let tensorKeys: Set<Name>
    private let limits: JSONLimits

    private var valueBytes = 0  // for the values that jansson will make
    private var envelopeAllowance = Self.envelopePiece
    private var isCopying = true
    private var copied: UnsafePointer<UInt8>?  // bytes of this chunk before this one are in the envelope
    private var held: [UInt8] = []  // the rest of a chunk, which waits for `work`
    private var allowance = 0  // tensors that may still be completed before `work`

    /// A reader at the start of a body.
    ///
    /// - Parameters:
    ///   - tensorKeys: top-level keys whose members are tensors, such as `gradients`; empty for a plain document.
    ///   - sink: receives the numbers.
    public init(tensorKeys: Set<Name>, sink: any TensorSink, limits: JSONLimits = JSONLimits()) {
        self.tensorKeys = tensorKeys
        self.limits = limits
        lexer = JSONLexer(depthLimit: limits.depth)
        envelope = Envelope(limit: limits.documentBytes)
        reader = TensorReader(sink: sink)
        issues = IssueList(limit: limits.issues)
    }

    /// Reads the next bytes of the body.
    ///
    /// - Throws: the first reason why the body is not JSON. Do not use the reader afterwards.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        try takeHeld()
        allowance = limits.tensorsInPlace
        try take(bytes)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        lexer.load(bytes)
        copied = lexer.position
        while true {
            if place == .tensor, reader.isAmongNumbers { reader.takeRuns(&lexer) }
            guard let token = try lexer.next() else { break }
            if token == .string { try checkLength() }
            try take(token)
            if reader.hasEarlyValues || allowance <= 0 { held = lexer.cutChunk() }
        }
        if lexer.partial == .string { try checkLength() }
        if isCopying { try copyUpToHere() }
    }

    /// Takes the rest of a chunk after values that came before their type, or after many tensors.
    private mutating func takeHeld() throws(JSONError) {
        allowance = .max
        while reader.hasEarlyValues || !held.isEmpty {
            reader.takeEarlyValues(&issues)
            var bytes: [UInt8] = []
            swap(&bytes, &held)
            try bytes.withUnsafeBytes { bytes in
                Result { () throws(JSONError) in try take(bytes) }
            }.get()
        }
    }

    /// Whether `work` is due.
    public var hasLongWork: Bool { reader.hasEarlyValues || !held.isEmpty || isFull }

    private var isFull: Bool {
        envelope.isFull || tensors.isFull || reader.indices?.isFull ?? false || reader.encoded.early.isFull
    }

    /// Does what takes milliseconds: converts values that came before their type, reads the rest of a chunk of many
    /// tensors, and moves what has been collected to where there is room for as much again.
    ///
    /// `read` and `finish` work without it, and then take the time themselves.
    public mutating func work() throws(JSONError) {
        try takeHeld()
        envelope.makeRoom()
        tensors.makeRoom()
        reader.indices?.makeRoom()
        reader.encoded.early.makeRoom()
    }

    /// Refuses a long string outside the tensors, where only names and words belong: comparing it would take time in
    /// proportion to its length.
    private func checkLength() throws(JSONError) {
        guard isCopying, lexer.stringLength > limits.textBytes else { return }
        throw lexer.error(.textTooLong(limit: limits.textBytes))
    }

    /// Ends the body.
    ///
    /// - Returns: the document and its tensors.
    /// - Throws: if the body is truncated, or has a duplicate key or a number beyond a double.
    public mutating func finish() throws(JSONError) -> JSONBody {
        try takeHeld()
        lexer.load(UnsafeRawBufferPointer(start: nil, count: 0))
        copied = lexer.position
        if let token = try lexer.finish() { try take(token) }
        guard reader.sink.allowGrowth(bytes: valueBytes) else {
            throw lexer.error(.overBudget)
        }
        var document = try envelope.parse()
        for key in tensorKeys { moveFields(from: key, of: &document) }
        return JSONBody(document: document, tensors: tensors, issues: issues.described, issueCount: issues.count)
    }
}

// MARK: Tokens

extension JSONBodyReader {
    private mutating func take(_ token: JSONToken) throws(JSONError) {
        if isCopying { valueBytes += token == .number ? Self.bytesPerNumber : Self.bytesPerValue }
        switch place {
        case .envelope: try takeInEnvelope(token)
        case .section: try takeSection(token)
        case .names: try takeName(token)
        case .tensor: try takeInTensor(token)
        case .passing: if lexer.depth == 1 { endSection() }
        }
    }

    private mutating func takeInEnvelope(_ token: JSONToken) throws(JSONError) {
        if token == .number, lexer.number.isInteger, !lexer.number.fitsInteger {
            // With an exponent, jansson reads it as a real, which keeps the sign of zero and integers beyond 64 bits.
            try copyUpToHere()
            envelope.write("e0", at: lexer.place)
            envelope.mark(lexer.place)
        }
        guard token == .key, lexer.depth == 1, !tensorKeys.isEmpty else { return }
        let key = Name(String(decoding: lexer.text, as: UTF8.self))
        guard tensorKeys.contains(key) else { return }
        section = key
        place = .section
        try stopCopying()
    }

    private mutating func takeSection(_ token: JSONToken) throws(JSONError) {
        if token == .beginObject {
            envelope.write("{", at: lexer.place)
            place = .names
            startCopying()
            return
        }
        envelope.write("null", at: lexer.place)
        issues.add(
            TensorIssue(
                .form, at: "/" + section.pointerEscaped, "`\(section)` must be an object of tensors by name",
                expected: "an object", got: token.noun))
        if token == .beginArray { place = .passing } else { endSection() }
    }

    private mutating func endSection() {
        place = .envelope
        startCopying()
    }

    private mutating func takeName(_ token: JSONToken) throws(JSONError) {
        guard token == .key else {
            place = .envelope
            return
        }
        guard tensors.count < limits.tensors else { throw lexer.error(.tooManyTensors(limit: limits.tensors)) }
        if tensors.count % Self.tensorPiece == Self.tensorPiece - 1,
            !reader.sink.allowGrowth(bytes: Self.tensorPiece * Self.bytesPerTensor)
        {
            throw lexer.error(.overBudget)
        }
        place = .tensor
        reader.begin(name: Name(String(decoding: lexer.text, as: UTF8.self)), section: section)
        try stopCopying()
        envelope.write("[\(tensors.count)", at: lexer.place)
    }

    private mutating func takeInTensor(_ token: JSONToken) throws(JSONError) {
        switch try reader.take(token, &lexer, &issues) {
        case .none: break
        case .copyField(let key):
            envelope.write(hasFields ? "," : ",{", at: lexer.place)
            envelope.writeKey(key, at: lexer.place)
            hasFields = true
            startCopying()
        case .endField:
            try stopCopying()
        case .done:
            tensors.append(reader.tensor)
            allowance -= 1
            envelope.write(hasFields ? "}]" : "]", at: lexer.place)
            hasFields = false
            place = .names
            startCopying()
        }
    }
}

// MARK: The envelope

extension JSONBodyReader {
    private mutating func startCopying() {
        isCopying = true
        copied = lexer.position
        envelope.mark(lexer.place)
    }

    private mutating func stopCopying() throws(JSONError) {
        try copyUpToHere()
        isCopying = false
    }

    private mutating func copyUpToHere() throws(JSONError) {
        guard let start = copied else { return }
        let bytes = UnsafeBufferPointer(start: start, count: lexer.position - start)
        while envelope.text.count + bytes.count > envelopeAllowance, envelopeAllowance < limits.documentBytes {
            // Counted twice: while an array grows, the old bytes exist beside the new ones.
            let more = max(Self.envelopePiece, envelopeAllowance / 4)
            guard reader.sink.allowGrowth(bytes: 2 * more) else { throw lexer.error(.overBudget) }
            envelopeAllowance += more
        }
        try envelope.copy(bytes, at: lexer.place)
        copied = lexer.position
    }
}

// MARK: The document

extension JSONBodyReader {
    // In the envelope every tensor is [index] or [index, {its other fields}]. Clients cannot write anything else at
    // these places, so the placeholders need no mark.
    private mutating func moveFields(from section: Name, of document: inout JSONValue) {
        guard case .object(var members) = document,
            let place = members.firstIndex(where: { $0.key == section }),
            case .object(var names) = members[place].value
        else { return }
        for index in names.indices {
            guard let tensor = names[index].value[0]?.integer.map(Int.init), tensors.indices.contains(tensor) else {
                continue
            }
            tensors[tensor].fields = names[index].value[1]?.members ?? []
            names[index].value = .tensor(tensor)
        }
        members[place].value = .object(names)
        document = .object(members)
    }
}
