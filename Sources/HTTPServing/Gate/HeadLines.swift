// Collects the lines of a head as the library delivers them. A head that is too large is refused anyway: beyond the
// limit, strings are made only of the few lines that say whether a body follows.

/// The lines of one head and their positions.
struct HeadLines {
    private(set) var fields: [(name: String, value: String)] = []
    private(set) var layout: HeadLayout
    private let mostBytes: Int
    private var bytes = 0

    /// - Parameter mostBytes: The limit for all names and values together.
    init(layout: HeadLayout, mostBytes: Int) {
        self.layout = layout
        self.mostBytes = mostBytes
    }

    /// Adds a line.
    ///
    /// Invalid UTF-8 is repaired, and refused by the gate.
    mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        layout.fields.append(
            value.baseAddress.map { (UInt(bitPattern: name.baseAddress), UInt(bitPattern: $0) + UInt(value.count)) })
        guard bytes <= mostBytes || Self.mayFrame(name.count) else { return }
        bytes += name.count + value.count
        fields.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }

    /// Whether a name of that length may be one of those that announce a body.
    private static func mayFrame(_ count: Int) -> Bool {
        ["Content-Length", "Transfer-Encoding", "Expect"].contains { $0.utf8.count == count }
    }
}
