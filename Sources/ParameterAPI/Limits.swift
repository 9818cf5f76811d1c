// The largest body, depending on the purpose of the request.

import ParameterServing

extension ParameterAPI {
    /// The largest definition: at most about 30 bytes of text for each 4-byte number within the budget.
    var definitionLimit: Int { min(registry.budget.limit.multipliedReportingOverflow(by: 8).partialValue, Int.max / 2) }

    /// The largest body with tensors of a model: JSON needs at most about 64 bytes per number including white space,
    /// safetensors 16 including headers, and both need room for names.
    func tensorLimit(_ model: Model, _ format: BodyFormat) -> Int {
        let facts = model.publication.current.facts
        let names = facts.layout.parameters.reduce(0) { $0 + 512 + $1.name.utf8.count * 2 }
        return facts.layout.count * (format == .json ? 64 : 16) + names + (1 << 20)
    }
}
