// From a create request's document to a ModelDefinition. The optimizer's members are passed on and checked there; this
// checks what only the server knows: parameters and their initial values.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Turns a body into a definition.
struct DefinitionParser {
    let body: JSONBody
    /// The member with the parameters.
    var section: Name = "parameters"

    func definition() throws(Problem) -> ModelDefinition {
        guard let members = body.document.members else {
            throw Problem([complaint("", .typeError, "the body must be an object, not \(body.document.kind)")])
        }
        if !body.issues.isEmpty { throw Problem(body.issues) }
        let settings = members.filter { $0.key != "parameters" }
        return ModelDefinition(
            settings: .object(settings.map { SettingValue.Entry(key: $0.key, value: SettingValue($0.value)) }),
            parameters: try allParameters())
    }

    /// The parameters of a definition, which must have some.
    private func allParameters() throws(Problem) -> [InitialParameter] {
        guard body.document["parameters"] != nil else {
            throw Problem([
                complaint("/parameters", .valueError, "`parameters` is missing; write {\"parameters\":{\"w\":[0,0]}}")
            ])
        }
        let parameters = try parameters()
        if parameters.isEmpty {
            throw Problem([complaint("/parameters", .valueError, "`parameters` is empty; name at least one")])
        }
        return parameters
    }

    /// The parameters in the member of the body; none if it is missing.
    func parameters() throws(Problem) -> [InitialParameter] {
        guard let value = body.document[section] else { return [] }
        guard let members = value.members else {
            throw Problem([
                complaint(
                    "/\(section)", .typeError, "`\(section)` must be an object of tensors by name, not \(value.kind)")
            ])
        }
        var parameters: [InitialParameter] = []
        for member in members {
            guard case .tensor(let index) = member.value, body.tensors.indices.contains(index) else {
                throw Problem([
                    complaint(
                        "/\(section)/\(member.key.pointerEscaped)", .typeError,
                        "a parameter must be a tensor, not \(member.value.kind); write nested lists of numbers or {\"shape\":[2,3],\"init\":\"zeros\"}"
                    )
                ])
            }
            parameters.append(try parameter(body.tensors[index]))
        }
        return parameters
    }

    private func parameter(_ tensor: DecodedTensor) throws(Problem) -> InitialParameter {
        try checkName(tensor)
        try checkFields(tensor)
        guard tensor.isFinite else {
            throw Problem([
                complaint(tensor.pointer, .valueError, "initial values must be finite; replace NaN and infinity")
            ])
        }
        let value = try initialValue(tensor)
        guard let shape = Shape(tensor.shape ?? [tensor.elementCount]) else {
            throw Problem([
                complaint(
                    "\(tensor.pointer)/shape", .valueError,
                    "the shape has more elements than can be counted; make it smaller")
            ])
        }
        if case .values = value, shape.elementCount != tensor.elementCount {
            throw Problem([
                complaint(
                    tensor.pointer, .valueError,
                    "the shape needs \(shape.elementCount.counted("value", "values")); got \(tensor.elementCount)")
            ])
        }
        let isTrainable = try trainable(tensor)
        let type = try IntegerReading(tensor: tensor, isTrainable: isTrainable, value: value).wireType()
        return InitialParameter(
            definition: ParameterDefinition(
                name: tensor.name, shape: shape, isTrainable: isTrainable, wireType: type), value: value)
    }

    private func initialValue(_ tensor: DecodedTensor) throws(Problem) -> InitialValue {
        let initializer = tensor.fields.first { $0.key == "init" }
        switch tensor.content {
        case .dense(let buffer?):
            guard initializer == nil else {
                throw Problem([
                    complaint("\(tensor.pointer)/init", .valueError, "send either values or `init`, not both")
                ])
            }
            return .values(Floats(owner: buffer, values: UnsafeBufferPointer(buffer.values)))
        case .none:
            guard let shape = tensor.shape else {
                throw Problem([
                    complaint(tensor.pointer, .valueError, "a parameter without values needs a `shape`, such as [2,3]")
                ])
            }
            guard let initializer else {
                throw Problem([
                    complaint(
                        tensor.pointer, .valueError,
                        "`\(tensor.name)` has a shape but no values; write `{\"shape\":\(shape.text),\"init\":\"zeros\"}`, or give it `data`, `b64` or another initializer"
                    )
                ])
            }
            return .initializer(SettingValue(initializer.value))
        case .rows, .count, .dense(nil):
            throw Problem([
                complaint(tensor.pointer, .typeError, "sparse rows are only for gradients; send the whole tensor")
            ])
        }
    }

    private func trainable(_ tensor: DecodedTensor) throws(Problem) -> Bool {
        guard let field = tensor.fields.first(where: { $0.key == "trainable" }) else { return true }
        guard let value = field.value.bool else {
            throw Problem([
                complaint(
                    "\(tensor.pointer)/trainable", .typeError,
                    "`trainable` must be true or false, not \(field.value.kind)")
            ])
        }
        return value
    }

    private func checkFields(_ tensor: DecodedTensor) throws(Problem) {
        if let advice = tensor.typedArrayAdvice { throw Problem([complaint(tensor.pointer, .typeError, advice)]) }
        let known: [Name] = ["init", "trainable"]
        for field in tensor.fields where !known.contains(field.key) {
            let hint = NearestNames.hint(field.key, among: known + ["shape", "data", "dtype", "b64"])
            throw Problem([
                complaint(
                    "\(tensor.pointer)/\(field.key.pointerEscaped)", .keyError,
                    "a parameter has no field `\(field.key)`; \(hint)")
            ])
        }
    }

    private func checkName(_ tensor: DecodedTensor) throws(Problem) {
        guard tensor.name.isParameter else {
            throw Problem([complaint("/\(section)", .valueError, Name.parameterRule)])
        }
    }
}

extension [Int] {
    /// The shape in JSON.
    fileprivate var text: String { "[\(map(String.init).joined(separator: ","))]" }
}

private func complaint(_ pointer: String, _ exception: ExceptionClass?, _ detail: String) -> Complaint {
    Complaint(pointer: pointer, exception: exception, detail: detail)
}
