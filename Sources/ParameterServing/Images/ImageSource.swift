// Where an image is read from: the file of a snapshot or checkpoint. Floats go straight to their place.

import Glibc
import Journal
import Optimizers

/// Random access to the bytes of an image.
struct ImageSource {
    /// The number of bytes.
    let count: Int
    /// Fills a buffer from an offset; throws if the bytes are missing or damaged.
    let read: (UnsafeMutableRawBufferPointer, Int) throws(JournalError) -> Void

    init(_ count: Int, read: @escaping (UnsafeMutableRawBufferPointer, Int) throws(JournalError) -> Void) {
        (self.count, self.read) = (count, read)
    }

    /// Reads from a snapshot or checkpoint file.
    init(_ reader: SnapshotReader) {
        let name = "snapshot \(reader.info.id)"
        self.init(reader.info.length) { target, offset throws(JournalError) in
            guard try reader.read(into: target, at: offset) == target.count else {
                throw .corrupted(file: name, offset: offset, reason: "it ends too early")
            }
        }
    }

    /// The offset of the floats after the head.
    func endOfHead() throws(JournalError) -> Int {
        let length = try bytes(0..<8).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(count - 8) else { throw damaged(0, "the head's length is impossible") }
        return 8 + Int(length)
    }

    /// The head, and the offset of the floats after it.
    func head() throws(JournalError) -> (head: ImageHead, floats: Int) {
        let end = try endOfHead()
        let head = try parse(try bytes(8..<end), at: 8) { reader throws(FormatError) in
            try ImageHead(reading: &reader, floatBytes: count - end)
        }
        return (head, end)
    }

    /// A copy of some of the bytes.
    func bytes(_ range: Range<Int>) throws(JournalError) -> [UInt8] {
        guard range.upperBound <= count else { throw damaged(range.lowerBound, "it ends too early") }
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBufferPointer { target throws(JournalError) in
            try read(UnsafeMutableRawBufferPointer(target), range.lowerBound)
        }
        return bytes
    }

    /// Reads the floats into buffers, in order.
    func floats(into buffers: [FloatBuffer], at start: Int) throws(JournalError) {
        var offset = start
        for buffer in buffers {
            let target = UnsafeMutableRawBufferPointer(buffer[0..<buffer.count])
            try read(target, offset)
            offset += target.count
        }
        guard offset == count else { throw damaged(offset, "it is \(count - offset) bytes too long") }
    }

    /// Reads the whole content as a census.
    func census() throws(JournalError) -> Census {
        try parse(try bytes(0..<count), at: 0) { reader throws(FormatError) in try Census(reading: &reader) }
    }

    private func parse<Value>(
        _ bytes: [UInt8], at offset: Int, _ body: (inout ByteReader) throws(FormatError) -> Value
    ) throws(JournalError) -> Value {
        try bytes.withUnsafeBufferPointer { bytes throws(JournalError) in
            var reader = ByteReader(UnsafeRawBufferPointer(bytes))
            do throws(FormatError) {
                return try body(&reader)
            } catch {
                if error.missingMemory != nil {
                    throw .outOfResources(file: "an image", call: "mmap", code: ENOMEM)
                }
                throw damaged(offset + error.offset, "expected \(error.expected)")
            }
        }
    }

    private func damaged(_ offset: Int, _ reason: String) -> JournalError {
        .corrupted(file: "an image", offset: offset, reason: reason)
    }
}
