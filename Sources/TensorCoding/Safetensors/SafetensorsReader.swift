// Reads a safetensors body in chunks: the binary counterpart of `JSONBodyReader`, with the same sink and the same
// records.

import Names

/// A safetensors body that has been read to its end.
public struct SafetensorsBody: Sendable {
    /// `__metadata__`.
    public var metadata: [Name: String]
    /// The tensors in the order of their data; `NAME#indices` and `NAME#values` form one tensor `NAME` of rows.
    public var tensors: [DecodedTensor]
    /// The first mistakes in the tensors.
    public var issues: [TensorIssue]
    /// The number of all issues.
    public var issueCount: Int
}

/// Reads one safetensors body.
///
/// F32, F16, BF16 and F64 become float32 (nearest, ties to even); `#indices`, and a single `#step`, may be I32 or I64.
/// Other types are issues. NaN and infinity are accepted; `DecodedTensor.isFinite` reports them.
public struct SafetensorsReader: ~Copyable {
    private enum Stage {
        case length, header, data
    }

    private let sink: any TensorSink
    private let limits: SafetensorsLimits
    private var stage = Stage.length
    private var buffered: [UInt8] = []  // the length, then the header
    private var wanted = 8
    private var held: [UInt8] = []  // what has come behind work that waits
    private var header: SafetensorsHeader?
    private var next = 0  // the entry being read
    private var remaining = 0  // bytes of it
    private var allowance = 0  // entries that may still begin before `work`
    private var tensor: EntryReader?
    private var finished: [DecodedTensor] = []
    private var indices: [Name: [Int]] = [:]
    private var pairs: Set<Name> = []  // names that have #indices and #values
    private var issues: IssueList

    /// A reader at the start of a body.
    public init(sink: any TensorSink, limits: SafetensorsLimits = SafetensorsLimits()) {
        self.sink = sink
        self.limits = limits
        issues = IssueList(limit: limits.issues)
    }

    /// Reads the next bytes of the body; keeps no data, except what waits for `work`.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) throws(SafetensorsError) {
        try work()
        allowance = limits.tensorsInPlace
        try take(bytes)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws(SafetensorsError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if hasLongWork { return held += rest }
            let taken = stage == .data ? try readData(rest) : try readHeader(rest)
            rest = rest.dropFirst(taken)
        }
    }

    /// Whether `work` is due: a long header, or the bytes of many tensors.
    public var hasLongWork: Bool { hasUnparsedHeader || isBetweenEntries }

    private var hasUnparsedHeader: Bool { stage == .header && buffered.count == wanted }

    private var isBetweenEntries: Bool { tensor == nil && next < header?.entries.count ?? 0 }

    /// Parses a header that waits, and reads what has come behind it or behind many tensors.
    ///
    /// `read` and `finish` do so too, and then take the time themselves.
    public mutating func work() throws(SafetensorsError) {
        guard hasLongWork else { return }
        allowance = .max
        if hasUnparsedHeader { try endHeader() } else { beginEntry() }
        var bytes: [UInt8] = []
        swap(&bytes, &held)
        try bytes.withUnsafeBytes { bytes in
            Result { () throws(SafetensorsError) in try take(bytes) }
        }.get()
    }

    /// Ends the body.
    ///
    /// - Throws: `.truncated` if bytes are missing.
    public mutating func finish() throws(SafetensorsError) -> SafetensorsBody {
        try work()
        guard let header else { throw .truncated(missing: wanted - buffered.count) }
        guard tensor == nil else {
            throw .truncated(missing: header.dataCount - header.entries[next].range.upperBound + remaining)
        }
        joinRows()
        return SafetensorsBody(
            metadata: header.metadata, tensors: finished, issues: issues.described, issueCount: issues.count)
    }
}

// MARK: Header

extension SafetensorsReader {
    private mutating func readHeader(_ bytes: Slice<UnsafeRawBufferPointer>) throws(SafetensorsError) -> Int {
        let taken = min(wanted - buffered.count, bytes.count)
        buffered.append(contentsOf: bytes.prefix(taken))
        if buffered.count == wanted { try endOfBuffered() }
        return taken
    }

    private mutating func endHeader() throws(SafetensorsError) {
        try parseHeader()
        buffered = []
        stage = .data
        beginEntry()
    }

    private mutating func endOfBuffered() throws(SafetensorsError) {
        if stage == .length {
            let length = buffered.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= limits.headerBytes else {
                throw .headerTooLarge(length: length, limit: limits.headerBytes)
            }
            guard length > 0 else { throw .headerStart }
            guard sink.allowGrowth(bytes: Int(length)) else { throw .overBudget }
            buffered.removeAll(keepingCapacity: true)
            wanted = Int(length)
            buffered.reserveCapacity(wanted)
            stage = .header
            return
        }
        if wanted <= limits.headerInPlace { try endHeader() }
    }

    private mutating func parseHeader() throws(SafetensorsError) {
        let limits = limits
        let sink = sink
        let parsed = buffered.withUnsafeBytes { bytes in
            Result { () throws(SafetensorsError) in
                try SafetensorsHeader(parsing: bytes, limits: limits, sink: sink)
            }
        }
        let header = try parsed.get()
        self.header = header
        finished.reserveCapacity(header.entries.count)
        findPairs(header)
    }

    private mutating func findPairs(_ header: SafetensorsHeader) {
        // A name that the sink knows is whole.
        let bases = header.entries.compactMap { $0.place == nil ? $0.name.dropping(suffix: "#indices") : nil }
        guard !bases.isEmpty else { return }
        let names = Set(header.entries.map(\.name))
        pairs = Set(bases.filter { names.contains(Name("\($0)#values")) })
        for name in pairs.intersection(names).sorted() {
            issues.add(
                TensorIssue(
                    .form, at: "/" + name.pointerEscaped,
                    "the tensor is sent both whole and as rows; send one of the two"))
        }
    }
}

// MARK: Data

extension SafetensorsReader {
    private mutating func readData(_ bytes: Slice<UnsafeRawBufferPointer>) throws(SafetensorsError) -> Int {
        guard tensor != nil else { throw .trailingBytes }
        let taken = min(remaining, bytes.count)
        tensor?.read(UnsafeRawBufferPointer(rebasing: bytes.prefix(taken)), sink: sink)
        remaining -= taken
        if remaining == 0 {
            endEntry()
            next += 1
            beginEntry()
        }
        return taken
    }

    /// Starts the next entry and skips those without bytes; starts none if `work` is to do it.
    private mutating func beginEntry() {
        while let entry = nextEntry, allowance > 0 {
            allowance -= 1
            remaining = entry.range.count
            tensor = EntryReader(entry, role: role(of: entry), sink: sink)
            if remaining > 0 { return }
            endEntry()
            next += 1
        }
        tensor = nil
    }

    private var nextEntry: SafetensorsEntry? {
        guard let header, next < header.entries.count else { return nil }
        return header.entries[next]
    }

    private func role(of entry: SafetensorsEntry) -> EntryReader.Role {
        if !pairs.isEmpty {
            if let name = entry.name.dropping(suffix: "#indices"), pairs.contains(name) { return .indices }
            if let name = entry.name.dropping(suffix: "#values"), pairs.contains(name) { return .rows }
        }
        let isInteger = entry.type == .int64 || entry.type == .int32
        if isInteger, entry.elementCount == 1, entry.name.dropping(suffix: "#step") != nil { return .count }
        return .dense
    }

    private mutating func endEntry() {
        if let issue = tensor?.issue { issues.add(issue) }
        if tensor?.role == .indices, let name = tensor?.entry.name.dropping(suffix: "#indices") {
            indices[name] = tensor?.indices
        } else if let result = tensor?.result {
            finished.append(result)
        }
        tensor = nil
    }

    /// Combines `NAME#indices` and `NAME#values` into one tensor.
    private mutating func joinRows() {
        guard !pairs.isEmpty else { return }
        for place in finished.indices {
            guard let name = finished[place].name.dropping(suffix: "#values"), let rows = indices[name],
                case .dense(let buffer) = finished[place].content
            else { continue }
            let shape = finished[place].shape ?? []
            // The pointer follows from the name unless it is set: keep that of the values when the name changes.
            finished[place].pointer = finished[place].pointer
            (finished[place].name, finished[place].place) = (name, nil)
            finished[place].rowsShape = shape
            finished[place].shape = nil
            finished[place].content = .rows(indices: rows, values: buffer ?? TensorBuffer())
            guard shape.first != rows.count else { continue }
            issues.add(
                TensorIssue(
                    .indices, at: finished[place].pointer, "there must be as many indices as rows of values",
                    expected: "\(shape.first ?? 0)", got: "\(rows.count)"))
        }
    }
}
