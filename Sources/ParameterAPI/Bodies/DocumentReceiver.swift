// Small JSON bodies without tensors.

import HTTPServing
import Names
import TensorCoding

/// Collects a JSON document.
final class DocumentReceiver: BodyReceiver {
    /// The largest document without rates, in bytes.
    static let limit = FixedLimits.json.documentBytes

    /// Takes no tensors; what the document itself needs is bounded by `limit`.
    private final class NoSink: TensorSink {
        func destination(for name: Name, in section: Name) -> TensorDestination { .nowhere }
        func allowGrowth(bytes: Int) -> Bool { true }
    }

    private let call: Call
    private let done: (JSONValue, Exchange) throws(Problem) -> Void
    private var reader: JSONBodyReader

    /// Makes a receiver; a document that `holdsRates` may be long, and asks the memory budget.
    init(_ call: Call, holdsRates: Bool = false, then done: @escaping (JSONValue, Exchange) throws(Problem) -> Void) {
        self.call = call
        self.done = done
        reader = JSONBodyReader(
            tensorKeys: [], sink: holdsRates ? GrowingSink(call.api.registry.budget) : NoSink(),
            limits: holdsRates ? FixedLimits.rates : FixedLimits.json)
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
            try done(try document(), exchange)
        } catch {
            call.answer(exchange, error)
        }
    }

    func abandon() {}

    private func document() throws(Problem) -> JSONValue {
        do throws(JSONError) {
            return try reader.finish().document
        } catch {
            throw Problem(error)
        }
    }
}
