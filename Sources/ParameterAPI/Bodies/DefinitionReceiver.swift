// Reads a create request. Tensors go to growing buffers that ask the memory budget; the rest becomes settings.

import HTTPServing
import ParameterServing
import TensorCoding

/// Collects the body of a create request.
final class DefinitionReceiver: BodyReceiver {
    private let call: Call
    private let done: (ModelDefinition, Exchange) -> Void
    private var reader: JSONBodyReader

    init(_ call: Call, then done: @escaping (ModelDefinition, Exchange) -> Void) {
        self.call = call
        self.done = done
        reader = JSONBodyReader(tensorKeys: ["parameters"], sink: DefinitionSink(call.api.registry.budget))
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        do throws(JSONError) {
            try reader.read(bytes)
            return nil
        } catch {
            return Problem(error).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        do throws(Problem) {
            done(try definition(), exchange)
        } catch {
            call.answer(exchange, error)
        }
    }

    func abandon() {}

    private func definition() throws(Problem) -> ModelDefinition {
        let body: JSONBody
        do throws(JSONError) {
            body = try reader.finish()
        } catch {
            throw Problem(error)
        }
        return try DefinitionReading(body: body).definition()
    }
}

/// Lets the values of a definition grow as far as the budget goes.
private final class DefinitionSink: TensorSink {
    private let budget: MemoryBudget
    private var reservations: [Reservation] = []

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    func destination(for name: String, in section: String) -> TensorDestination { .growing }

    func allowGrowth(bytes: Int) -> Bool {
        do throws(ServingError) {
            reservations.append(try budget.reserve(bytes))
            return true
        } catch {
            return false
        }
    }
}
