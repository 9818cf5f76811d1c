// The page of a model: its definition and its current state.

import Names
import Optimizers
import ParameterServing
import TensorCoding

extension ModelFacts {
    /// The approximate length of an entry in an array of rates.
    static let bytesPerRate = 24

    /// The approximate length of the page of a model, or of its groups.
    var pageBytes: Int {
        let rates = layout.groups.indices.reduce(0) { $0 + learningRateDefinitionCount(ofGroup: $1) }
        return 512 + 320 * layout.parameters.count + 128 * layout.groups.count + Self.bytesPerRate * rates
    }
}

extension JSONWriter {
    /// Writes the answer of GET, PUT and PATCH for a model.
    mutating func modelPage(
        _ version: PublishedVersion, divergence: String?, skipped: [Complaint] = [], reset: [Name] = []
    ) {
        let facts = version.facts
        beginObject()
        member("model", facts.name)
        member("uid", version.uid.description)
        members(of: version)
        member("status", divergence == nil ? "ready" : "diverged")
        if let divergence { member("diverged_parameter", divergence) }
        member("parameter_count", facts.layout.count)
        member("bytes", facts.layout.count * MemoryLayout<Float>.stride)
        member("loss_scale", version.lossScale)
        averages(version)
        key("definition")
        definition(facts)
        key("groups")
        groups(version)
        key("parameters")
        parameterFacts(facts.layout)
        if !facts.warnings.isEmpty {
            key("warnings")
            beginArray()
            for warning in facts.warnings { string(warning) }
            endArray()
        }
        if !reset.isEmpty {
            key("reset")
            beginArray()
            for name in reset { string(name.text) }
            endArray()
        }
        if !skipped.isEmpty {
            key("skipped")
            beginArray()
            for complaint in skipped {
                beginObject()
                member("pointer", complaint.pointer)
                member("detail", complaint.detail)
                endObject()
            }
            endArray()
        }
        endObject()
    }

    private mutating func definition(_ facts: ModelFacts) {
        setting(facts.settings)
    }

    /// Writes all groups in update order.
    mutating func groups(_ version: PublishedVersion) {
        beginArray()
        groups(version.facts.layout.groups.indices, of: version)
        endArray()
    }

    /// Writes some groups, a value each.
    mutating func groups(_ indices: some Sequence<Int>, of version: PublishedVersion) {
        let rates = try? version.facts.learningRates(at: version.step)
        let decays = version.facts.weightDecays(at: version.step)
        for index in indices { group(index, version.facts, rate: rates?[index], decay: decays[index]) }
    }

    /// Writes one group: its options, its members, what the next update uses.
    private mutating func group(_ index: Int, _ facts: ModelFacts, rate: Float??, decay: Float) {
        let layout = facts.layout
        beginObject()
        member("name", layout.groups[index].name)
        key("params")
        beginArray()
        for parameter in layout.groups[index].parameterIndices { string(layout.parameters[parameter].name.text) }
        endArray()
        if let optimizer = facts.optimizer(ofGroup: index) {
            key("optimizer")
            setting(optimizer)
        }
        member("lr", rate ?? nil)
        if repeatsRate(of: index, facts) {
            key("learning_rate")
            setting(facts.learningRateDefinition(ofGroup: index))
        }
        member("weight_decay", decay)
        endObject()
    }

    /// Whether a group's page contains the definition of its rate: repeating the model's long array for many groups would
    /// turn a request of megabytes into an answer of gigabytes.
    private func repeatsRate(of group: Int, _ facts: ModelFacts) -> Bool {
        let count = facts.learningRateDefinitionCount(ofGroup: group)
        return facts.hasOwnLearningRate(group) || count <= FixedLimits.repeatedRates / facts.layout.groups.count
    }

    private mutating func parameterFacts(_ layout: ArenaLayout) {
        beginObject()
        for parameter in layout.parameters {
            key(parameter.name)
            beginObject()
            key("shape")
            integers(parameter.shape.dimensions)
            member("trainable", parameter.isTrainable)
            if let type = parameter.wireType { member("dtype", type.rawValue) }
            if let group = parameter.groupIndex { member("group", layout.groups[group].name) }
            member("decays", parameter.decays)
            member("decay_reason", parameter.decayReason)
            member("centralized", parameter.isCentralized)
            member("centralization_reason", parameter.centralizationReason)
            endObject()
        }
        endObject()
    }
}
