// Reads a create request. Tensors go to growing buffers that ask the memory budget; the rest becomes settings.

import HTTPServing
import ParameterServing
import TensorCoding

/// Collects the body of a create request.
final class DefinitionReceiver: BodyReceiver {
    private let call: Call
    private let done: (ModelSource, Exchange) -> Void
    private let sink: GrowingSink
    private var reader: JSONBodyReader
    private var head = BodyHead()

    init(_ call: Call, then done: @escaping (ModelSource, Exchange) -> Void) {
        self.call = call
        self.done = done
        sink = GrowingSink(BodyLoan(call), integers: { _ in .taken })
        reader = JSONBodyReader(tensorKeys: ["parameters"], sink: sink, limits: FixedLimits.rates)
    }

    var payers: [String] { sink.loan.payers }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        head.note(bytes)
        do throws(JSONError) {
            try reader.read(bytes)
            return nil
        } catch {
            return head.explain(Problem(error, sink.loan), of: call.request).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        call.finish(exchange) { [self] () throws(Problem) in done(.definition(try definition()), exchange) }
    }

    func abandon() {}

    private func definition() throws(Problem) -> ModelDefinition {
        let body: JSONBody
        do throws(JSONError) {
            body = try reader.finish()
        } catch {
            throw Problem(error, sink.loan)
        }
        return try DefinitionReading(body: body).definition()
    }
}
