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
        do throws(JSONError) { try reader.read(bytes) } catch { throw Problem(error, loan) }
    }

    var hasLongWork: Bool { reader.hasLongWork }

    func work() throws(Problem) {
        do throws(JSONError) { try reader.work() } catch { throw Problem(error, loan) }
    }

    func finish() throws(Problem) -> ModelSource {
        let body: JSONBody
        do throws(JSONError) { body = try reader.finish() } catch { throw Problem(error, loan) }
        return .definition(try DefinitionParser(body: body).definition())
    }
}
