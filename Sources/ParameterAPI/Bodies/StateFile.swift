// An optimizer's state as a file: from `GET .../state.safetensors`, or converted by a script from another framework.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// `PUT /v1/models/{m}/state`: all slots, counts and scalars or nothing; parameters keep their values.
@Sendable func importState(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    let ifVersion = try call.checkMatch(model)
    let key = try call.requestKey()
    let isNamed = call.suffix == "safetensors" && call.request.headers["Content-Type"] == nil
    let isFile = isNamed ? true : try call.bodyFormat() == .safetensors
    guard isFile else {
        throw Problem(
            .unsupportedMediaType,
            "A state must be a safetensors file, as GET .../state.safetensors returns it; send it with Content-Type: application/vnd.safetensors."
        )
    }
    let reader = FileReader(call, integers: NamedState.integers)
    let receiver = ContentReceiver(call, reader) { file, exchange throws(Problem) in
        call.api.registry.importState(try NamedState(file), of: model, key: key, ifVersion: ifVersion) { result in
            answerPage(of: model, after: result, call, exchange)
        }
    }
    // A state has only a few slots per value of the model; the budget limits the rest.
    return .read(receiver, limit: call.api.definitionLimit)
}

extension NamedState {
    /// Integers of a state, in whatever type they are stored: torch writes `step` as F32, MindSpore `global_step` as
    /// I32.
    fileprivate static func integers(_ name: Name) -> IntegerUse {
        if name == "global_step" || name.dropping(suffix: "#step") != nil { return .wanted(.int64) }
        return name.dropping(suffix: "#started") == nil ? .refused : .wanted(.bool)
    }

    /// The state in a file.
    ///
    /// - Throws: `invalidContent` for a scalar that is not a finite number.
    fileprivate init(_ file: UploadedFile) throws(Problem) {
        var scalars: [Name: Double] = [:]
        for (key, text) in file.metadata where NamedState.isScalar(key) {
            guard let value = Double(text), value.isFinite else {
                throw Problem([
                    Complaint(
                        pointer: "/__metadata__/\(key.pointerEscaped)", exception: .valueError,
                        detail: "`\(key)` in the metadata must be a finite number", expected: "a finite number",
                        got: "\(text.prefix(40))")
                ])
            }
            scalars[key] = value
        }
        self.init(
            tensors: file.tensors.mapValues { Values(shape: $0.shape, values: $0.values.values) }, counts: file.counts,
            scalars: scalars)
    }
}
