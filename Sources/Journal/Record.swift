// A record on its way in (Record, Bytes), the answer to its append (Acknowledgement), and a record on its way out
// (StoredRecord). Only the caller interprets type, model and payload.

/// Memory that the journal writes without a copy, and the object that keeps it alive and unchanged.
public struct Bytes: @unchecked Sendable {
    let owner: AnyObject
    /// The bytes, valid as long as this value exists.
    public let content: UnsafeRawBufferPointer

    /// Bytes in `owner`, which must neither move nor change them until the append's callback has run.
    public init(_ content: UnsafeRawBufferPointer, owner: AnyObject & Sendable) {
        self.owner = owner
        self.content = content
    }

    /// A copy of `bytes`: for heads and other small parts.
    public init(copying bytes: [UInt8]) {
        let copy = OwnedBytes(bytes)
        owner = copy
        content = copy.content
    }

    /// Length in bytes.
    public var count: Int { content.count }
}

/// Immutable memory with a fixed address.
private final class OwnedBytes: Sendable {
    nonisolated(unsafe) let content: UnsafeRawBufferPointer

    init(_ bytes: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        copy.copyBytes(from: bytes)
        content = UnsafeRawBufferPointer(copy)
    }

    deinit { content.deallocate() }
}

/// A record to append.
public struct Record: Sendable {
    /// The type, numbered by the caller; 0xFFFF is reserved for the journal.
    public var type: UInt16
    /// The caller's flags, stored unchanged.
    public var flags: UInt16
    /// The uid of its model; 0 if it has none.
    public var model: UInt32
    /// The payload, in pieces that are written in order.
    public var payload: [Bytes]

    /// Makes a record.
    public init(type: UInt16, flags: UInt16 = 0, model: UInt32 = 0, payload: [Bytes]) {
        self.type = type
        self.flags = flags
        self.model = model
        self.payload = payload
    }
}

/// The journal's answer for an appended record.
public struct Acknowledgement: Sendable, Equatable {
    /// The record's position in the journal, counted from 1 over all models.
    public let position: UInt64
    /// Whether the record survives a power cut; always true in modes `group` and `sync`.
    public let isDurable: Bool
}

/// A record as read by replay.
///
/// `payload` is valid only during the call, and aligned to 8 bytes.
public struct StoredRecord {
    /// Its position in the journal.
    public let position: UInt64
    /// As appended.
    public let type: UInt16
    /// As appended.
    public let flags: UInt16
    /// As appended.
    public let model: UInt32
    /// The payload's pieces, joined.
    public let payload: UnsafeRawBufferPointer
}
