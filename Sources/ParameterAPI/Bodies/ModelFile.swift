// A model as a file: the safetensors file of a checkpoint, whose metadata hold everything beside the values, becomes a
// model again.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Collects an uploaded model file.
final class ModelFile: BodyReceiver {
    /// The metadata's key of everything beside the values.
    static let imageKey: Name = "paramd.image"

    private let call: Call
    private let done: (ModelSource, Exchange) -> Void
    private var reader: SafetensorsReader
    private var head = BodyHead()

    init(_ call: Call, then done: @escaping (ModelSource, Exchange) -> Void) {
        self.call = call
        self.done = done
        reader = SafetensorsReader(sink: GrowingSink(call.api.registry.budget))
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        head.note(bytes)
        do throws(SafetensorsError) {
            try reader.read(bytes)
            return nil
        } catch {
            return head.explain(Problem(error), of: call.request).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        do throws(Problem) {
            done(try source(), exchange)
        } catch {
            call.answer(exchange, error)
        }
    }

    func abandon() {}

    private func source() throws(Problem) -> ModelSource {
        let body: SafetensorsBody
        do throws(SafetensorsError) { body = try reader.finish() } catch { throw Problem(error) }
        if !body.issues.isEmpty { throw Problem(body.issues) }
        guard let text = body.metadata[Self.imageKey], let image = Base64.decode(Array(text.utf8)) else {
            throw Problem(
                .invalidContent,
                "The file is no checkpoint of this server: its metadata lack `\(Self.imageKey)`. Create the model with JSON, then PUT .../parameters."
            )
        }
        var values: [Name: Floats] = [:]
        for tensor in body.tensors {
            guard case .dense(let buffer?) = tensor.content else { continue }
            values[tensor.name] = Floats(owner: buffer, values: UnsafeBufferPointer(buffer.values))
        }
        do throws(ServingError) {
            return try ModelSource(image: image, values: values)
        } catch {
            throw Problem(error)
        }
    }
}

/// Lets tensors grow as far as the budget goes.
final class GrowingSink: TensorSink {
    private let budget: MemoryBudget
    private var reservations: [Reservation] = []

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    func destination(for name: Name, in section: Name) -> TensorDestination { .growing }

    func allowGrowth(bytes: Int) -> Bool {
        do throws(ServingError) {
            reservations.append(try budget.reserve(bytes))
            return true
        } catch {
            return false
        }
    }
}
