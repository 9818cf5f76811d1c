// Small documents without tensors: the same reader and the same errors, in one call.

import Names

extension JSONValue {
    /// Reads a whole document.
    ///
    /// - Throws: `JSONError` if the text is not JSON (RFC 8259), has a duplicate key, or exceeds `limits`.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: bytes, limits: limits, sink: BudgetlessSink())
    }

    /// As above, with a sink that approves the memory of the document.
    init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits, sink: any TensorSink) throws(JSONError) {
        var reader = JSONBodyReader(tensorKeys: [], sink: sink, limits: limits)
        try reader.read(bytes)
        self = try reader.finish().document
    }

    /// Reads a whole document.
    ///
    /// - Throws: `JSONError` if the text is not JSON (RFC 8259), has a duplicate key, or exceeds `limits`.
    public init(parsing text: some Sequence<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let bytes = Array(text)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try JSONValue(parsing: bytes, limits: limits) }
        }
        self = try result.get()
    }
}

/// The sink of a document without tensors and without a budget.
final class BudgetlessSink: TensorSink {
    func destination(for name: Name, in section: Name) -> TensorDestination { .nowhere }
    func allowGrowth(bytes: Int) -> Bool { true }
}
