// A pull's content, made once for all requests. `PullEncoding` determines whether the content is too long for that;
// `MadeStream` then makes it for each request.

import HTTPServing
import ParameterServing
import TensorCoding

/// The content of a pull's answer, finished or not.
final class EncodedPull: Encoding {
    /// The body; nil if the content is so long that each answer makes its own.
    let body: Response.Body?
    let beyond: BeyondRange

    init(_ body: Response.Body?, _ beyond: BeyondRange) {
        self.body = body
        self.beyond = beyond
    }
}

/// Makes a pull's content.
final class PullEncoding: SlicedWork, @unchecked Sendable {
    /// The number of values checked in one slice.
    private static let scanStep = 1 << 20

    private let content: PullContent
    /// The least and the most bytes to be made.
    private let bytes: ClosedRange<Int>
    private let budget: MemoryBudget
    private let finish: EncodingCache.Use<EncodedPull>
    private var beyond: BeyondRange
    /// What is still to be checked: an index in the selection, and the number of values done.
    private var scan = (place: 0, value: 0)
    private var making: (maker: any PieceMaker, text: [UInt8], memory: Reservation)?

    /// Makes content; `finish` receives the result.
    init(_ content: PullContent, _ budget: MemoryBudget, _ finish: @escaping EncodingCache.Use<EncodedPull>) {
        self.content = content
        bytes = content.bytes
        self.budget = budget
        self.finish = finish
        beyond = BeyondRange(content.selection.encoding)
    }

    /// Whether the content is short enough to be made on the requesting thread.
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

    /// Searches for values beyond the element type's range; false when all have been checked.
    private func scanOn() -> Bool {
        let (version, indices) = (content.version, content.selection.indices)
        guard beyond.mayFind, scan.place < indices.count else { return false }
        let parameter = version.facts.layout.parameters[indices[scan.place]]
        let values = content.values(at: indices[scan.place])
        let end = min(values.count, scan.value + Self.scanStep)
        if parameter.wireType == nil {
            beyond.note(parameter.name, UnsafeBufferPointer(rebasing: values[scan.value..<end]))
        }
        scan = end == values.count || parameter.wireType != nil ? (scan.place + 1, 0) : (scan.place, end)
        return true
    }

    /// Makes a piece; the whole content once it is complete.
    private func makeOn() throws(ServingError) -> EncodedPull? {
        if bytes.lowerBound > PieceSize.shared { return EncodedPull(nil, beyond) }
        if content.selection.representation == .safetensors {
            return EncodedPull(.segments(content.segments(try budget.reserve(bytes.upperBound))), beyond)
        }
        if making == nil {
            // Counts the text and the copy that is kept.
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
