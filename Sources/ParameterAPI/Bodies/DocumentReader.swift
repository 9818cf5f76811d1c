// Small JSON bodies without tensors.

import TensorCoding

/// Reads a JSON document.
final class DocumentReader: ContentReader {
    /// The largest document without rates, in bytes.
    static let limit = FixedLimits.json.documentBytes

    let loan: BodyLoan
    private var reader: JSONBodyReader

    /// Makes a reader; with `holdsRates`, the document may be long.
    init(_ call: Call, holdsRates: Bool = false) {
        loan = BodyLoan(call)
        let limits = holdsRates ? FixedLimits.rates : FixedLimits.json
        reader = JSONBodyReader(tensorKeys: [], sink: GrowingSink(loan), limits: limits)
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        try parsing(try reader.read(bytes))
    }

    var hasLongWork: Bool { reader.hasLongWork }

    func work() throws(Problem) {
        try parsing(try reader.work())
    }

    func finish() throws(Problem) -> JSONValue {
        let document = try parsing(try reader.finish().document)
        loan.finishReading()
        return document
    }
}
