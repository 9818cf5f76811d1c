// The answer to a dry run: the receipt that the push would get, the gradients after each stage, and the update.

import Names
import Optimizers
import ParameterServing
import TensorCoding

extension JSONWriter {
    /// Writes what a push would do on `version`; with `stages`, the gradients after each stage of the pipeline.
    mutating func preview(
        _ preview: PushPreview, on version: PublishedVersion, bringing hyperparameters: Hyperparameters?, stages: Bool
    ) {
        switch preview {
        case .repeated(let receipt), .held(let receipt): self.receipt(receipt, of: version.facts, isDryRun: true)
        case .update(let update): self.update(update, on: version, bringing: hyperparameters, stages: stages)
        }
    }

    private mutating func update(
        _ update: UpdatePreview, on version: PublishedVersion, bringing hyperparameters: Hyperparameters?, stages: Bool
    ) {
        let (layout, run, receipt) = (version.facts.layout, update.run, update.receipt)
        beginObject()
        member("applied", false)
        member("dry_run", true)
        if let round = receipt.round { self.round(round, of: version.facts) }
        members(of: version)
        values("lr", zip(layout.groups.map(\.name), run.report.learningRates))
        if let hyperparameters {
            key("hyperparameters")
            setting(hyperparameters.setting)
        }
        staleness(of: receipt)
        member("grad_norm", run.report.gradientNorm)
        if let norm = run.report.clippedGradientNorm { member("clipped_grad_norm", norm) }
        member("update_ratio", run.report.updateRatio)
        if run.report.overflow { member("overflow", true) }
        if receipt.gap > 0 { member("gap", receipt.gap) }
        warnings(about: receipt, version.facts)
        if stages {
            key("stages")
            beginObject()
            for stage in run.stages {
                key(Name(stage.name))
                tensors(stage.gradients, layout)
            }
            endObject()
        }
        key("update")
        tensors(run.updates.map { $0.negated }, layout)
        endObject()
    }

    private mutating func tensors(_ tensors: [DryRun.Values], _ layout: ArenaLayout) {
        beginObject()
        for tensor in tensors {
            let parameter = layout.parameters[tensor.index]
            key(parameter.name)
            beginObject()
            if let rows = tensor.rows {
                key("indices")
                integers(rows)
            }
            key("shape")
            integers(
                tensor.rows.map { [$0.count] + parameter.shape.dimensions.dropFirst() } ?? parameter.shape.dimensions)
            key("data")
            tensor.values.withUnsafeBufferPointer { numbers($0) }
            endObject()
        }
        endObject()
    }
}

extension DryRun.Values {
    /// The values with the opposite sign: the dry run returns the change of a parameter, and the answer contains what
    /// is subtracted from it.
    fileprivate var negated: DryRun.Values { DryRun.Values(index: index, values: values.map { -$0 }, rows: rows) }
}
