// The parts of an entry in a header, made from their bytes: what the sink knows, and what the entry before had too, is
// not made again.

import Glibc
import Names

/// A key of a header: the name of a tensor, or `__metadata__`.
struct HeaderKey {
    let name: Name
    /// Its bytes.
    let length: Int
    /// The number that the sink gave it, and the shape that the sink expects; nil if the sink does not know it.
    let place: Int?
    let shape: [Int]?
    let isMetadata: Bool

    init(_ bytes: UnsafeBufferPointer<UInt8>, after last: Int, _ sink: any TensorSink) {
        length = bytes.count
        isMetadata = bytes.spells("__metadata__")
        if let known = sink.known(bytes, after: last) {
            (name, place, shape) = (known.name, known.place, known.shape)
        } else {
            (name, place, shape) = (Name(String(decoding: bytes, as: UTF8.self)), nil, nil)
        }
    }
}

/// The keys of a header so far.
struct HeaderKeys {
    /// The names that the sink does not know.
    private var names: Set<Name> = []
    /// By place: whether the name has come that the sink knows there.
    private var places: [Bool] = []
    /// The place of the last name that the sink knows; -1 before the first.
    private(set) var lastPlace = -1

    /// The bytes that `insert` adds to the places.
    func growth(for key: HeaderKey) -> Int { max(0, (key.place ?? -1) + 1 - places.count) }

    /// Adds a key; false if it was there.
    mutating func insert(_ key: HeaderKey) -> Bool {
        guard let place = key.place else { return names.insert(key.name).inserted }
        lastPlace = place
        places.append(contentsOf: repeatElement(false, count: growth(for: key)))
        defer { places[place] = true }
        return !places[place]
    }
}

/// The element type as written.
struct HeaderType {
    let name: String
    /// Nil for an unknown type.
    let type: ElementType?
    /// The bytes of an element.
    let size: Int?

    init(name: String) {
        self.name = name
        type = ElementType(rawValue: name)
        size = type?.size
    }

    /// Whether these bytes are its name.
    func isSpelled(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        name.utf8.count == bytes.count && name.utf8.elementsEqual(bytes)
    }
}

/// The members of one tensor; nil for what is missing or of the wrong kind.
struct EntryFields {
    var type: HeaderType?
    var shape: [Int]?
    var offsets: (start: Int, end: Int)?
}

/// A member of a tensor's object.
enum EntryMember: UInt8 {
    case other = 0
    case dtype = 1
    case shape = 2
    case offsets = 4

    init(_ key: UnsafeBufferPointer<UInt8>) {
        if key.spells("dtype") {
            self = .dtype
        } else if key.spells("shape") {
            self = .shape
        } else {
            self = key.spells("data_offsets") ? .offsets : .other
        }
    }

    /// Its key; empty for one without a meaning.
    var key: Name {
        switch self {
        case .other: ""
        case .dtype: "dtype"
        case .shape: "shape"
        case .offsets: "data_offsets"
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether these are the bytes of `word`.
    fileprivate func spells(_ word: StaticString) -> Bool {
        guard let baseAddress, count == word.utf8CodeUnitCount else { return false }
        return memcmp(baseAddress, word.utf8Start, count) == 0
    }
}
