// How large a body may be, from what the request is for.

import ParameterServing

extension ParameterAPI {
    /// The largest definition: text is at most about 30 bytes for each 4-byte number that the budget has room for.
    var definitionLimit: Int { min(registry.budget.limit.multipliedReportingOverflow(by: 8).partialValue, Int.max / 2) }

    /// The largest body with tensors of a model: JSON spends at most about 64 bytes on a number with its white space,
    /// safetensors 16 with headers, both need room for names.
    func tensorLimit(_ model: Model, _ format: BodyFormat) -> Int {
        let facts = model.publication.current.facts
        let names = facts.layout.parameters.reduce(0) { $0 + 512 + $1.name.utf8.count * 2 }
        return facts.layout.count * (format == .json ? 64 : 16) + names + (1 << 20)
    }
}
