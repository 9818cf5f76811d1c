// A pull's content made once for all who ask. Longer content than is kept for that is found out here, and made by `MadeStream`
// for each of them.

import HTTPServing
import ParameterServing
import TensorCoding

/// The content of a pull's answer, made or to be made.
final class EncodedPull: Encoding {
    /// The body; nil where the content is so long that each answer makes its own.
    let body: Response.Body?
    let beyond: BeyondRange

    init(_ body: Response.Body?, _ beyond: BeyondRange) {
        self.body = body
        self.beyond = beyond
    }
}

/// The making of a pull's content.
final class PullEncoding: SlicedWork, @unchecked Sendable {
    /// Values that are looked at in a slice.
    private static let scanStep = 1 << 20

    private let content: PullContent
    /// The least and the most bytes that are to be made.
    private let bytes: ClosedRange<Int>
    private let budget: MemoryBudget
    private let finish: EncodingCache.Use<EncodedPull>
    private var beyond: BeyondRange
    /// What is still to be looked at: a place in the selection, and the values before.
    private var scan = (place: 0, value: 0)
    private var making: (maker: any PieceMaker, text: [UInt8], memory: Reservation)?

    /// Content to be made; `finish` takes what came of it.
    init(_ content: PullContent, _ budget: MemoryBudget, _ finish: @escaping EncodingCache.Use<EncodedPull>) {
        self.content = content
        bytes = content.bytes
        self.budget = budget
        self.finish = finish
        beyond = BeyondRange(content.selection.encoding)
    }

    /// Whether it is made in so short a time that the thread which asks may do it.
    var isShort: Bool { bytes.upperBound <= PieceSize.inPlace }

    /// Makes all of it on this thread.
    func run() { while slice() {} }

    func slice() -> Bool {
        do throws(ServingError) {
            if scanOn() { return true }
            guard let encoded = try makeOn() else { return true }
            finish(.success(encoded))
        } catch {
            finish(.failure(error))
        }
        return false
    }

    /// Looks for values that the element type cannot hold; false when all have been looked at.
    private func scanOn() -> Bool {
        let (version, indices) = (content.version, content.selection.indices)
        guard beyond.mayFind, scan.place < indices.count else { return false }
        let parameter = version.facts.layout.parameters[indices[scan.place]]
        let values = version.values(at: indices[scan.place])
        let end = min(values.count, scan.value + Self.scanStep)
        if parameter.wireType == nil {
            beyond.note(parameter.name, UnsafeBufferPointer(rebasing: values[scan.value..<end]))
        }
        scan = end == values.count || parameter.wireType != nil ? (scan.place + 1, 0) : (scan.place, end)
        return true
    }

    /// Makes a piece; the whole once it is there.
    private func makeOn() throws(ServingError) -> EncodedPull? {
        if bytes.lowerBound > PieceSize.shared { return EncodedPull(nil, beyond) }
        if content.selection.representation == .safetensors {
            return EncodedPull(.segments(content.segments(try budget.reserve(bytes.upperBound))), beyond)
        }
        if making == nil {
            // The text and the copy of it that is kept.
            let memory = try budget.reserve(2 * min(bytes.upperBound, PieceSize.shared + PieceSize.piece))
            making = (content.maker(nil, beyond), [], memory)
        }
        if let piece = making?.maker.next() {
            making?.text += piece
            return making?.text.count ?? 0 > PieceSize.shared ? EncodedPull(nil, beyond) : nil
        }
        let text = making?.text ?? []
        making?.memory.shrink(to: text.count)
        return EncodedPull(.segments([SharedBytes(text, memory: making?.memory).segment]), beyond)
    }
}
