// Reads a push as it arrives, JSON or safetensors, and hands it to the model when the last byte is in. What is wrong
// with its content waits until then: a repeated push gets its receipt whatever else it says.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// Collects the body of a push.
final class PushReceiver: BodyReceiver {
    private let call: Call
    private let model: Model
    private let sink: GradientSink
    private let reader: BodyReader
    private let done: (Push, Exchange) -> Void

    init(
        _ call: Call, _ model: Model, _ format: BodyFormat,
        then done: @escaping (Push, Exchange) -> Void
    ) {
        self.call = call
        self.model = model
        self.done = done
        sink = GradientSink(model, loan: BodyLoan(call), takesUntrained: false)
        reader = BodyReader(format, of: call.request, section: "gradients", sink: sink, loan: sink.loan)
    }

    var payers: [String] { sink.loan.payers }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        sink.expect(bytes.count)
        do throws(Problem) {
            try reader.read(bytes)
            return sink.failure?.response(for: call.request)
        } catch {
            return error.response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        call.finish(exchange) { [self] () throws(Problem) in
            let body = try reader.finish()
            let fields = PushFields(
                body, headers: call.request.headers, layout: sink.layout, hasRequestKey: call.isKeyed)
            done(try push(body, fields), exchange)
        }
    }

    func abandon() {}

    private func push(_ body: TensorBody, _ fields: PushFields) throws(Problem) -> Push {
        let arena = try sink.arena()
        var checking = TensorChecking(layout: sink.layout, section: "gradients")
        for complaint in fields.complaints + body.complaints { checking.add(complaint) }
        checking.check(body.tensors, takesRows: true, takesUntrained: false)
        if body.tensors.isEmpty, checking.complaints.isEmpty {
            checking.add(
                Complaint(
                    pointer: "/gradients", exception: .valueError,
                    detail: "`gradients` is empty; send at least one gradient"))
        }
        if fields.isComplete { checking.demandAll() }
        var gradients = Gradients(dense: arena.buffer, parameterCount: sink.layout.parameters.count)
        gradients.isDense = checking.isDense
        gradients.sparse = checking.sparse
        gradients.isFinite = checking.nonFinite == nil
        return Push(
            gradients: gradients, arena: arena, memory: sink.loan.memory, key: fields.key,
            fingerprint: fields.key == nil && !call.isKeyed ? .nothing : gradients.fingerprint(in: sink.layout),
            basedOn: fields.basedOn,
            loss: fields.loss, nonFinite: checking.nonFinite, complaints: checking.complaints, share: sink.loan.share)
    }
}
