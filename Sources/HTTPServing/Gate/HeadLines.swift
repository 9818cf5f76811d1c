// Collects the lines of a head as the library tells them. A head that is too large is refused anyway: no texts are made of what
// is beyond the limit, but of the few lines that say whether a body follows.

/// The lines of one head and their places.
struct HeadLines {
    private(set) var fields: [(name: String, value: String)] = []
    private(set) var layout: HeadLayout
    private let mostBytes: Int
    private var bytes = 0

    /// - Parameter mostBytes: The limit of names and values together.
    init(layout: HeadLayout, mostBytes: Int) {
        self.layout = layout
        self.mostBytes = mostBytes
    }

    /// Adds a line; bytes that are not UTF-8 are repaired, and refused by the gate.
    mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        layout.fields.append(
            value.baseAddress.map { (UInt(bitPattern: name.baseAddress), UInt(bitPattern: $0) + UInt(value.count)) })
        guard bytes <= mostBytes || Self.mayFrame(name.count) else { return }
        bytes += name.count + value.count
        fields.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }

    /// Whether a name of that length may be one of those that say what follows the head.
    private static func mayFrame(_ count: Int) -> Bool {
        ["Content-Length", "Transfer-Encoding", "Expect"].contains { $0.utf8.count == count }
    }
}
