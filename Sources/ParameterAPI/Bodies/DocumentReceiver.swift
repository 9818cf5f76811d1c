// Small JSON bodies without tensors.

import HTTPServing
import Names
import TensorCoding

/// Collects a JSON document.
final class DocumentReceiver: BodyReceiver {
    /// The largest document without rates, in bytes.
    static let limit = FixedLimits.json.documentBytes

    private let call: Call
    private let done: (JSONValue, Exchange) throws(Problem) -> Void
    private let sink: GrowingSink
    private var reader: JSONBodyReader

    /// Makes a receiver; a document that `holdsRates` may be long.
    init(_ call: Call, holdsRates: Bool = false, then done: @escaping (JSONValue, Exchange) throws(Problem) -> Void) {
        self.call = call
        self.done = done
        sink = GrowingSink(BodyLoan(call))
        reader = JSONBodyReader(
            tensorKeys: [], sink: sink, limits: holdsRates ? FixedLimits.rates : FixedLimits.json)
    }

    var payers: [String] { sink.loan.payers }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        do throws(JSONError) {
            try reader.read(bytes)
            return nil
        } catch {
            return Problem(error, sink.loan).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        call.finish(exchange) { [self] () throws(Problem) in try done(try document(), exchange) }
    }

    func abandon() {}

    private func document() throws(Problem) -> JSONValue {
        do throws(JSONError) {
            let document = try reader.finish().document
            sink.loan.finishReading()
            return document
        } catch {
            throw Problem(error, sink.loan)
        }
    }
}
