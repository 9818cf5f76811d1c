// Makes a push from a body, JSON or safetensors, after its last byte. Mistakes in its content are reported only then: a
// repeated push gets its receipt regardless of its content.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

extension Call {
    /// Reads the body of a push and passes it to `done` once it is complete.
    func readPush(
        of model: Model, _ format: BodyFormat, then done: @escaping (Push, Exchange) throws(Problem) -> Void
    ) -> Plan {
        let sink = GradientSink(model, loan: BodyLoan(self), takesUntrained: false)
        let reader = BodyReader(format, section: "gradients", sink: sink)
        let receiver = ContentReceiver(self, reader) { body, exchange throws(Problem) in
            try done(try self.push(body, in: sink), exchange)
        }
        return .read(receiver, limit: api.tensorLimit(model, format))
    }

    private func push(_ body: TensorBody, in sink: GradientSink) throws(Problem) -> Push {
        let fields = PushFields(body, headers: request.headers, layout: sink.layout)
        let arena = try sink.arena()
        var checking = TensorChecker(sink.facts, section: "gradients")
        for complaint in fields.complaints + body.complaints { checking.add(complaint) }
        try checking.check(body.tensors, takesRows: true, takesUntrained: false)
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
        gradients.areKnownModest = body.tensors.allSatisfy(\.isModest)
        let needsPrint = fields.key != nil || isKeyed
        let tensors = needsPrint ? sink.fingerprint(of: body.tensors) : .nothing
        return Push(
            gradients: gradients, arena: arena, memory: sink.loan.memory, key: fields.key,
            fingerprint: needsPrint ? tensors.with(fields.fingerprint) : .nothing, tensors: tensors,
            basedOn: fields.basedOn, loss: fields.loss, examples: fields.examples, metrics: fields.metrics,
            hyperparameters: fields.hyperparameters, nonFinite: checking.nonFinite, complaints: checking.complaints,
            share: sink.loan.share)
    }
}
