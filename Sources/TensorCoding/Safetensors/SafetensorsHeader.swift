// The header of a safetensors file, read strictly and written like the reference implementation. Format:
// https://github.com/huggingface/safetensors#format. `SafetensorsReader` streams the data after it.

import Names

/// One tensor of a file.
public struct SafetensorsEntry: Sendable, Equatable {
    /// The tensor's name.
    public let name: Name
    /// Its element type; nil for an unknown one.
    public let type: ElementType?
    /// The name of its element type.
    public let typeName: String
    /// Its dimensions; empty for a scalar.
    public let shape: [Int]
    /// The range of its bytes, counted from the end of the header.
    public let range: Range<Int>
    /// The number of elements; 0 if the size of an element is unknown.
    public let elementCount: Int
    /// The number that the sink gave it; nil if the sink does not know it.
    let place: Int?
}

/// The parsed header: tensors in the order of their data, and the metadata.
public struct SafetensorsHeader: Sendable, Equatable {
    /// The tensors, in the order of their data, without gaps or overlaps.
    public let entries: [SafetensorsEntry]
    /// `__metadata__`, in the order written.
    public let metadata: [Name: String]

    /// The number of bytes after the header.
    public var dataCount: Int { entries.last?.range.upperBound ?? 0 }

    /// Reads the JSON of a header, without the eight bytes of its length.
    ///
    /// - Throws: `SafetensorsError` if the JSON is malformed, a name appears twice, a type is unknown (unless `limits`
    ///   allow that), a size does not match its shape or overflows, or the tensors leave gaps in the data.
    public init(parsing text: UnsafeRawBufferPointer, limits: SafetensorsLimits = .init()) throws(SafetensorsError) {
        try self.init(parsing: text, limits: limits, sink: BudgetlessSink())
    }

    /// As above, with a sink that approves the memory of the header.
    init(parsing text: UnsafeRawBufferPointer, limits: SafetensorsLimits, sink: any TensorSink) throws(SafetensorsError)
    {
        guard text.first == UInt8(ascii: "{") else { throw .headerStart }
        guard text.count <= limits.headerBytes else {
            throw .headerTooLarge(length: UInt64(text.count), limit: limits.headerBytes)
        }
        let reader: HeaderReader
        do throws(JSONError) {
            reader = try HeaderReader(text, passesUnknownTypes: limits.passesUnknownTypes, sink: sink)
        } catch {
            throw error.reason == .overBudget ? .overBudget : .header(error)
        }
        if let fault = reader.fault { throw fault }
        metadata = reader.metadata
        // Most files are written in the order of their data.
        guard Self.gap(in: reader.entries) != nil else {
            entries = reader.entries
            return
        }
        entries = reader.entries.sorted {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        if let gap = Self.gap(in: entries) { throw .offsets(name: entries[gap].name) }
    }

    /// The first entry that does not begin where the one before it ends.
    private static func gap(in entries: [SafetensorsEntry]) -> Int? {
        var end = 0
        for index in entries.indices {
            guard entries[index].range.lowerBound == end else { return index }
            end = entries[index].range.upperBound
        }
        return nil
    }
}

extension SafetensorsEntry {
    init(_ key: HeaderKey, _ fields: EntryFields, passesUnknown: Bool) throws(SafetensorsError) {
        let name = key.name
        guard let type = fields.type, let shape = fields.shape, let offsets = fields.offsets else {
            throw .entry(name: name)
        }
        guard type.type != nil || passesUnknown else { throw .unknownType(name: name, type: type.name) }
        guard offsets.start <= offsets.end else { throw .offsets(name: name) }
        self.init(
            name: name, type: type.type, typeName: type.name, shape: shape, range: offsets.start..<offsets.end,
            elementCount: type.size.map { (offsets.end - offsets.start) / $0 } ?? 0, place: key.place)
        try checkSize(type.size)
    }

    private func checkSize(_ bytes: Int?) throws(SafetensorsError) {
        guard let count = Dimensions.product(shape) else { throw .overflow(name: name) }
        guard let bytes else { return }
        let (size, overflow) = count.multipliedReportingOverflow(by: bytes)
        if overflow { throw .overflow(name: name) }
        guard range.count == size else { throw .size(name: name, expected: size, got: range.count) }
    }
}

// MARK: Writing

extension SafetensorsHeader {
    /// The first bytes of a file: the length of the header, the header, and spaces up to a multiple of eight.
    ///
    /// The data of `tensors` follows in the same order, little-endian and packed. The reference writer orders tensors
    /// by name within one type; the format requires only that they cover the data. Callers that send an arena keep its
    /// update order, so the data needs no copy.
    public static func encode(
        _ tensors: [(name: Name, type: ElementType, shape: [Int])], metadata: [(key: Name, value: String)] = []
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if !metadata.isEmpty {
            writer.key("__metadata__")
            writer.beginObject()
            for (key, value) in metadata {
                writer.key(key)
                writer.string(value)
            }
            writer.endObject()
        }
        var offset = 0
        for tensor in tensors {
            let size = (Dimensions.product(tensor.shape) ?? 0) * tensor.type.size
            writer.key(tensor.name)
            append(tensor, at: offset..<offset + size, to: &writer)
            offset += size
        }
        writer.endObject()
        return framed(writer.bytes)
    }

    private static func append(
        _ tensor: (name: Name, type: ElementType, shape: [Int]), at range: Range<Int>, to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.key("dtype")
        writer.string(tensor.type.rawValue)
        writer.key("shape")
        writer.integers(tensor.shape)
        writer.key("data_offsets")
        writer.integers([range.lowerBound, range.upperBound])
        writer.endObject()
    }

    private static func framed(_ json: [UInt8]) -> [UInt8] {
        let length = (json.count + 7) / 8 * 8
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + length)
        withUnsafeBytes(of: UInt64(length).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: json)
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: length - json.count))
        return bytes
    }
}
