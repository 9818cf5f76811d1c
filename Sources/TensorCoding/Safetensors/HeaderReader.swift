// Reads the JSON of a safetensors header token by token. A header may have tens of thousands of tensors: one that the
// sink knows costs no memory but that of its entry. The rules are RFC 8259, and no key twice.

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
    private var keys = HeaderKeys()
    private var lastType: HeaderType?
    /// The first duplicate key or number beyond a double.
    private var misfit: JSONError?
    private var sizes: [Int] = []  // the last list
    private let passesUnknownTypes: Bool
    private let sink: any TensorSink
    private var (allowance, approved) = (0, 0)  // bytes that are left, and all

    /// A header is an object of objects with short lists.
    private static let depth = 4
    /// The memory of a tensor in the header and after it, and of any other value.
    private static let (bytesPerTensor, bytesPerValue) = (1024, 64)
    private static let piece = 4096

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
        while let key = try key() {
            try pay(for: Self.bytesPerTensor + 2 * (key.length + keys.growth(for: key)))
            if !keys.insert(key) { noteDuplicate(key.name) }
            if key.isMetadata { try readMetadata() } else { try readTensor(key) }
        }
    }

    private mutating func key() throws(JSONError) -> HeaderKey? {
        if let text = lexer.takePlainKey() { return HeaderKey(text, after: keys.lastPlace, sink) }
        guard try token() == .key else { return nil }
        return lexer.text.withUnsafeBufferPointer { [sink, last = keys.lastPlace] in
            HeaderKey($0, after: last, sink)
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
            let key = lastKey
            if metadata[key] != nil { noteDuplicate(key) }
            guard let text = try string() else {
                note(.metadata)
                metadata[key] = ""
                continue
            }
            metadata[key] = text
        }
    }

    private mutating func readTensor(_ key: HeaderKey) throws(JSONError) {
        let first = try token()
        guard first == .beginObject else {
            note(.entry(name: key.name))
            return try skip(first)
        }
        let fields = try fields(of: key)
        do throws(SafetensorsError) {
            entries.append(try SafetensorsEntry(key, fields, passesUnknown: passesUnknownTypes))
        } catch {
            note(error)
        }
    }

    private mutating func note(_ error: SafetensorsError) {
        if fault == nil { fault = error }
    }

    private mutating func noteDuplicate(_ key: Name) {
        if misfit == nil { misfit = lexer.error(.duplicateKey(key.text)) }
    }
}

// MARK: The members of a tensor

extension HeaderReader {
    private mutating func fields(of key: HeaderKey) throws(JSONError) -> EntryFields {
        var fields = EntryFields()
        var seen: UInt8 = 0
        var others: Set<Name> = []
        while let member = try member(into: &others) {
            if seen & member.rawValue != 0 { noteDuplicate(member.key) }
            seen |= member.rawValue
            switch member {
            case .dtype: fields.type = try type()
            case .shape: fields.shape = try readSizes() ? shape(of: key) : nil
            case .offsets: fields.offsets = try readSizes() && sizes.count == 2 ? (sizes[0], sizes[1]) : nil
            case .other: try skip(try token())
            }
        }
        return fields
    }

    /// The next member of a tensor; nil at the end of its object.
    private mutating func member(into others: inout Set<Name>) throws(JSONError) -> EntryMember? {
        if let text = lexer.takePlainKey() {
            let member = EntryMember(text)
            if member == .other { try take(Name(String(decoding: text, as: UTF8.self)), into: &others) }
            return member
        }
        guard try token() == .key else { return nil }
        let member = lexer.text.withUnsafeBufferPointer { EntryMember($0) }
        if member == .other { try take(lastKey, into: &others) }
        return member
    }

    /// The dimensions that were just read; those that the sink knows need no memory.
    private func shape(of key: HeaderKey) -> [Int] {
        if let known = key.shape, known == sizes { return known }
        return sizes.withUnsafeBufferPointer { Array($0) }
    }

    /// The element type; most tensors of a file have the same.
    private mutating func type() throws(JSONError) -> HeaderType? {
        guard let text = lexer.takePlainText() else { return try string().map { HeaderType(name: $0) } }
        try pay(for: Self.bytesPerValue + 2 * text.count)
        if let lastType, lastType.isSpelled(text) { return lastType }
        lastType = HeaderType(name: String(decoding: text, as: UTF8.self))
        return lastType
    }

    /// Reads a list of integers >= 0 into `sizes`; false for anything else, which is skipped.
    private mutating func readSizes() throws(JSONError) -> Bool {
        sizes.removeAll(keepingCapacity: true)
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
                try take(lastKey, into: &keys)
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

    /// The last key, unless it was a plain one.
    private var lastKey: Name { Name(String(decoding: lexer.text, as: UTF8.self)) }

    private mutating func take(_ key: Name, into keys: inout Set<Name>) throws(JSONError) {
        try pay(for: Self.bytesPerValue + 2 * key.utf8.count)
        if !keys.insert(key).inserted { noteDuplicate(key) }
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
