// From JSON text to `JSONValue`, through jansson. The lexer has validated the text, so jansson can only find duplicate
// keys and numbers outside the range of a double.

import CJansson
import Names

/// Parses text that the lexer has validated.
enum JanssonDocument {
    /// Parses `text`.
    ///
    /// - Throws: jansson's error, with its byte position in `text`.
    static func parse(_ text: [UInt8]) throws(JanssonFailure) -> JSONValue {
        var failure = json_error_t()
        let flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL
        let root = text.withUnsafeBytes { bytes in
            json_loadb(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, Int(flags), &failure)
        }
        guard let root else { throw JanssonFailure(failure) }
        defer { json_decref(root) }
        return value(root)
    }

    private static func value(_ node: UnsafeMutablePointer<json_t>) -> JSONValue {
        switch node.pointee.type {
        case JSON_OBJECT: .object(members(node))
        case JSON_ARRAY: .array((0..<json_array_size(node)).compactMap { json_array_get(node, $0).map(value) })
        case JSON_STRING: .string(text(json_string_value(node), json_string_length(node)))
        case JSON_INTEGER: .integer(json_integer_value(node))
        case JSON_REAL: .real(json_real_value(node))
        case JSON_TRUE: .bool(true)
        case JSON_FALSE: .bool(false)
        default: .null
        }
    }

    private static func members(_ object: UnsafeMutablePointer<json_t>) -> [JSONMember] {
        var members: [JSONMember] = []
        members.reserveCapacity(json_object_size(object))
        var iterator = json_object_iter(object)
        while let current = iterator {
            if let node = json_object_iter_value(current) {
                let key = text(json_object_iter_key(current), json_object_iter_key_len(current))
                members.append(JSONMember(Name(key), value(node)))
            }
            iterator = json_object_iter_next(object, current)
        }
        return members
    }

    private static func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }
}

/// jansson's reason, before its position is mapped to the sender's text.
struct JanssonFailure: Error {
    let reason: JSONError.Reason
    /// Bytes of the text that jansson had read.
    let offset: Int

    init(_ error: json_error_t) {
        offset = Int(error.position)
        let message = withUnsafeBytes(of: error.text) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        reason = Self.reason(code: withUnsafeBytes(of: error.text) { $0.last ?? 0 }, message: message)
    }

    // jansson keeps its error code in the last byte of the text buffer (json_error_code is a macro over it).
    private static func reason(code: UInt8, message: String) -> JSONError.Reason {
        switch UInt32(code) {
        case json_error_duplicate_key.rawValue: .duplicateKey(quoted(in: message))
        case json_error_numeric_overflow.rawValue: .numberOutOfRange
        case json_error_null_byte_in_key.rawValue: .nul
        case json_error_out_of_memory.rawValue: .overBudget
        default: .refused(message)
        }
    }

    // The message reads: duplicate object key near '"key"'.
    private static func quoted(in message: String) -> String {
        guard let start = message.firstIndex(of: "\""), let end = message.lastIndex(of: "\""), start < end else {
            return message
        }
        return String(message[message.index(after: start)..<end])
    }
}
