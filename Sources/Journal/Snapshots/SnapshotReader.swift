// Reads a snapshot's content and verifies every block that it returns.

import Glibc

/// An open snapshot.
///
/// Used by one thread at a time.
public final class SnapshotReader {
    /// The information in the file's header.
    public let info: SnapshotInfo
    private let window: ReadWindow
    private let salt: UInt32
    private let noteDamage: (JournalError) -> Void

    /// Opens the file `name`.
    ///
    /// - Parameters:
    ///   - fromDisk: whether to read from disk, bypassing the page cache.
    ///   - noteDamage: called for each damaged block.
    init(
        _ name: String, id: UInt64, in directory: Directory, fromDisk: Bool = false, capacity: Int = 1 << 20,
        noteDamage: @escaping (JournalError) -> Void = { _ in }
    ) throws(JournalError) {
        self.noteDamage = noteDamage
        window = try ReadWindow(name, in: directory, capacity: capacity)
        if fromDisk { window.forget() }
        let bytes = try window.bytes(0..<min(SnapshotHeader.size, window.size))
        let header = try SnapshotHeader(decoding: bytes, file: name)
        info = header.info
        salt = header.salt
        guard info.id == id else {
            throw .corrupted(file: name, offset: 16, reason: "the header has the number of another snapshot")
        }
        guard info.length <= window.size, SnapshotBlock.fileSize(content: info.length) == window.size else {
            throw .corrupted(file: name, offset: 24, reason: "the size of the file does not match its content")
        }
    }

    /// Copies content from `offset` on until the buffer is full or the content ends; returns the number of bytes.
    ///
    /// - Throws: `.corrupted` with the file offset of the first damaged block; do not use the buffer then.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(JournalError) -> Int {
        var copied = 0
        while copied < buffer.count, offset + copied < info.length {
            let place = offset + copied
            let block = try block(place / SnapshotBlock.content)
            let part = block[(place % SnapshotBlock.content)...].prefix(buffer.count - copied)
            UnsafeMutableRawBufferPointer(rebasing: buffer[copied...]).copyMemory(from: .init(rebasing: part))
            copied += part.count
        }
        return copied
    }

    /// Passes the whole content to `body` in order, in pieces that are valid only during the call.
    public func forEachBlock(_ body: (UnsafeRawBufferPointer) throws(JournalError) -> Void) throws(JournalError) {
        var number = 0
        while number * SnapshotBlock.content < info.length {
            try body(try block(number))
            number += 1
        }
    }

    /// Checks every byte of the file.
    public func verify() throws(JournalError) {
        try forEachBlock { _ in }
    }

    /// The verified content of a block.
    private func block(_ number: Int) throws(JournalError) -> UnsafeRawBufferPointer {
        do {
            return try verified(number)
        } catch {
            if case .corrupted = error { noteDamage(error) }
            throw error
        }
    }

    private func verified(_ number: Int) throws(JournalError) -> UnsafeRawBufferPointer {
        let count = min(SnapshotBlock.content, info.length - number * SnapshotBlock.content)
        let offset = SnapshotBlock.offset(of: number)
        let bytes = try window.bytes(offset..<offset + count + SnapshotBlock.trailer)
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        let trailer = SnapshotBlock.trailer(of: content, number: number, salt: salt)
        guard bytes.loadUnaligned(fromByteOffset: count, as: UInt64.self) == trailer else {
            throw .corrupted(file: window.name, offset: offset, reason: "block \(number) does not match its checksum")
        }
        return content
    }
}
