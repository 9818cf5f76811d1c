// Reads the JSON of a safetensors header token by token. A header may have tens of thousands of tensors, and jansson and
// `JSONValue` would make a dozen objects of each. The rules are the same: RFC 8259, and no key twice.

import Names

/// Reads one header that is complete in memory.
struct HeaderReader {
    /// The tensors as written.
    private(set) var entries: [SafetensorsEntry] = []
    private(set) var metadata: [Name: String] = [:]
    /// The first mistake that is not one of JSON.
    ///
    /// The text is read to its end: an error of the JSON counts more.
    private(set) var fault: SafetensorsError?

    private var lexer: JSONLexer
    private var names: Set<Name> = []
    /// The first duplicate key or number beyond a double.
    private var misfit: JSONError?
    private var spare: [Int] = []  // the memory of the last data_offsets
    private let passesUnknownTypes: Bool
    private let sink: any TensorSink
    private var (allowance, approved) = (0, 0)  // bytes that are left, and all

    /// A header is an object of objects with short lists.
    private static let depth = 4
    /// The memory of a tensor in the header and after it, and of any other value.
    private static let (bytesPerTensor, bytesPerValue) = (1024, 64)
    private static let piece = 4096
    private static let metadataKey = Array("__metadata__".utf8)

    /// Reads `text`.
    ///
    /// - Throws: the first reason why it is not JSON, or `.overBudget`.
    init(
        _ text: UnsafeRawBufferPointer, passesUnknownTypes: Bool, sink: any TensorSink
    ) throws(JSONError) {
        self.passesUnknownTypes = passesUnknownTypes
        self.sink = sink
        lexer = JSONLexer(depthLimit: Self.depth)
        lexer.stringMode = .stream
        lexer.load(text)
        try readTensors()
        _ = try lexer.next()
        _ = try lexer.finish()
        if let misfit { throw misfit }
    }

    private mutating func readTensors() throws(JSONError) {
        guard try token() == .beginObject else { return }
        while try token() == .key {
            try pay(for: Self.bytesPerTensor + 2 * lexer.text.count)
            let name = Name(String(decoding: lexer.text, as: UTF8.self))
            if !names.insert(name).inserted { noteDuplicate() }
            if lexer.text == Self.metadataKey { try readMetadata() } else { try readTensor(name) }
        }
    }

    private mutating func readMetadata() throws(JSONError) {
        let first = try token()
        guard first == .beginObject else {
            note(.metadata)
            return try skip(first)
        }
        while try token() == .key {
            try payForText()
            let key = Name(String(decoding: lexer.text, as: UTF8.self))
            if metadata[key] != nil { noteDuplicate() }
            guard let text = try string() else {
                note(.metadata)
                metadata[key] = ""
                continue
            }
            metadata[key] = text
        }
    }

    private mutating func readTensor(_ name: Name) throws(JSONError) {
        let first = try token()
        guard first == .beginObject else {
            note(.entry(name: name))
            return try skip(first)
        }
        let fields = try fields()
        do throws(SafetensorsError) {
            entries.append(try SafetensorsEntry(name, fields, passesUnknown: passesUnknownTypes))
        } catch {
            note(error)
        }
    }

    private mutating func note(_ error: SafetensorsError) {
        if fault == nil { fault = error }
    }

    private mutating func noteDuplicate() {
        guard misfit == nil else { return }
        misfit = lexer.error(.duplicateKey(String(decoding: lexer.text, as: UTF8.self)))
    }
}

/// The members of one tensor; nil for what is missing or of the wrong kind.
struct EntryFields {
    var typeName: String?
    var shape: [Int]?
    var offsets: (start: Int, end: Int)?
}

// MARK: The members of a tensor

extension HeaderReader {
    private enum Member: UInt8, CaseIterable {
        case dtype = 1
        case shape = 2
        case offsets = 4

        private static let (dtypeKey, shapeKey) = (Array("dtype".utf8), Array("shape".utf8))
        private static let offsetsKey = Array("data_offsets".utf8)

        init?(_ key: [UInt8]) {
            if key == Self.dtypeKey {
                self = .dtype
            } else if key == Self.shapeKey {
                self = .shape
            } else if key == Self.offsetsKey {
                self = .offsets
            } else {
                return nil
            }
        }
    }

    private mutating func fields() throws(JSONError) -> EntryFields {
        var fields = EntryFields()
        var seen: UInt8 = 0
        var others: Set<Name> = []
        while try token() == .key {
            guard let member = Member(lexer.text) else {
                try takeKey(into: &others)
                try skip(try token())
                continue
            }
            if seen & member.rawValue != 0 { noteDuplicate() }
            seen |= member.rawValue
            switch member {
            case .dtype: fields.typeName = try string()
            case .shape:
                var shape: [Int] = []
                fields.shape = try readSizes(into: &shape) ? shape : nil
            case .offsets: fields.offsets = try offsets()
            }
        }
        return fields
    }

    private mutating func offsets() throws(JSONError) -> (start: Int, end: Int)? {
        var offsets: [Int] = []
        swap(&offsets, &spare)
        offsets.removeAll(keepingCapacity: true)
        defer { swap(&offsets, &spare) }
        guard try readSizes(into: &offsets), offsets.count == 2 else { return nil }
        return (offsets[0], offsets[1])
    }

    /// Reads a list of integers >= 0; false for anything else, which is skipped.
    private mutating func readSizes(into sizes: inout [Int]) throws(JSONError) -> Bool {
        let first = try token()
        guard first == .beginArray else {
            try skip(first)
            return false
        }
        var isValid = true
        while true {
            if let size = lexer.takeDigits() {
                try pay(for: Self.bytesPerValue)
                sizes.append(size)
                continue
            }
            let token = try token()
            if token == .endArray { return isValid }
            try skip(token)
            // The format accepts integers only as plain digits, unlike JSON Schema.
            let isPlain = token == .number && lexer.number.isInteger && lexer.number.fitsInteger
            if isPlain, let size = lexer.number.integer, size >= 0 { sizes.append(size) } else { isValid = false }
        }
    }
}

// MARK: Any value

extension HeaderReader {
    private mutating func token() throws(JSONError) -> JSONToken {
        guard let token = try lexer.next() else { throw lexer.error(lexer.truncation) }
        return token
    }

    /// The text of a string; nil for another value, which is skipped.
    private mutating func string() throws(JSONError) -> String? {
        var token = try token()
        guard token == .text || token == .string else {
            try skip(token)
            return nil
        }
        try payForText()
        if token == .string { return String(decoding: lexer.text, as: UTF8.self) }
        var bytes = lexer.text
        while token == .text {
            token = try self.token()
            try payForText()
            bytes += lexer.text
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads the rest of a value that starts with `token`.
    private mutating func skip(_ token: JSONToken) throws(JSONError) {
        try pay(for: Self.bytesPerValue)
        switch token {
        case .beginObject:
            var keys: Set<Name> = []
            while try self.token() == .key {
                try takeKey(into: &keys)
                try skip(try self.token())
            }
        case .beginArray:
            while case let element = try self.token(), element != .endArray { try skip(element) }
        case .text:
            while try self.token() == .text {}
        case .number:
            if misfit == nil, !lexer.number.double.isFinite { misfit = lexer.error(.numberOutOfRange) }
        default: break
        }
    }

    private mutating func takeKey(into keys: inout Set<Name>) throws(JSONError) {
        try payForText()
        if !keys.insert(Name(String(decoding: lexer.text, as: UTF8.self))).inserted { noteDuplicate() }
    }

    /// Counts twice the bytes: while an array or a set grows, the old memory exists beside the new.
    private mutating func payForText() throws(JSONError) {
        try pay(for: Self.bytesPerValue + 2 * lexer.text.count)
    }

    private mutating func pay(for bytes: Int) throws(JSONError) {
        allowance -= bytes
        guard allowance < 0 else { return }
        let more = max(Self.piece, approved / 4, -allowance)
        guard sink.allowGrowth(bytes: more) else { throw lexer.error(.overBudget) }
        (allowance, approved) = (allowance + more, approved + more)
    }
}
