// A record on its way in (Record, Bytes), the answer to its append (Acknowledgement), and a record on its way out
// (StoredRecord). What type, model and payload mean is the caller's alone.

/// Memory that the journal writes without copying it, and the object that keeps it alive and unchanged.
public struct Bytes: @unchecked Sendable {
    let owner: AnyObject
    let content: UnsafeRawBufferPointer

    /// Bytes inside `owner`, which must neither move nor change them before the append's callback has run.
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
    /// What the record says, in the caller's numbering; 0xFFFF is the journal's own.
    public var type: UInt16
    /// The caller's, kept as given.
    public var flags: UInt16
    /// The model it belongs to (its uid); 0 where there is none.
    public var model: UInt32
    /// The payload, in pieces that are written one after the other.
    public var payload: [Bytes]

    /// A record with these fields.
    public init(type: UInt16, flags: UInt16 = 0, model: UInt32 = 0, payload: [Bytes]) {
        self.type = type
        self.flags = flags
        self.model = model
        self.payload = payload
    }
}

/// What the journal says of an appended record.
public struct Acknowledgement: Sendable, Equatable {
    /// The record's place in the journal's order, counted from 1 over all models.
    public let position: UInt64
    /// Whether it survives a power cut from now on; always true in modes `group` and `sync`.
    public let isDurable: Bool
}

/// A record as replay finds it.
///
/// `payload` is valid during the call only and starts at a multiple of 8 bytes.
public struct StoredRecord {
    /// Its place in the journal's order.
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
