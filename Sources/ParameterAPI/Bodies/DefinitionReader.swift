// Reads a create request. Tensors go to growing buffers within the memory budget; the rest becomes settings.

import ParameterServing
import TensorCoding

/// Reads the definition of a model.
final class DefinitionReader: ContentReader {
    let loan: BodyLoan
    private var reader: JSONBodyReader

    init(_ call: Call) {
        loan = BodyLoan(call)
        let sink = GrowingSink(loan, integers: { _ in .taken })
        reader = JSONBodyReader(tensorKeys: ["parameters"], sink: sink, limits: FixedLimits.rates)
    }

    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        try parsing(try reader.read(bytes))
    }

    var hasLongWork: Bool { reader.hasLongWork }

    func work() throws(Problem) {
        try parsing(try reader.work())
    }

    func finish() throws(Problem) -> ModelSource {
        .definition(try DefinitionParser(body: try parsing(try reader.finish())).definition())
    }
}
