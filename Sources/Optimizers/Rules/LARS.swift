// mindspore.nn.LARS, a wrapper around any of MindSpore's optimizers. It takes over weight decay and unscaling.

import CKernels
import Names

/// Layer-wise adaptive rate scaling around an inner optimizer.
///
///     g *= 1 / loss_scale
///     where lars_filter keeps the parameter:
///         r = coefficient |w| / (|g| + wd |w| + epsilon), 1 where either norm is 0;   use_clip: r = min(r / lr, 1)
///         g = r (g + wd w)                    wd: the weight decay, 0 where the name rule excludes the parameter
///     then the inner rule, without its own decay and unscaling. Elsewhere g passes without decay.
///
/// MindSpore advances the step twice per update if weight decay is a schedule; here it advances once.
/// - Throws: ValueError for use_clip with a rate that is both dynamic and grouped, and for LARS inside LARS.
/// - Source: mindspore.nn.LARS. Slots: those of the inner optimizer.
final class LARS: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("LARS")
        traits.decaysGradient = false
        (traits.wrapsAnother, traits.updatesWholeModel) = (true, true)
        return traits
    }

    override class func exemption(_ name: Name, settings: SettingReader) -> String? {
        let filter = (try? LARSInner.filter(settings)) ?? []
        return filter.first { name.contains(Name($0)) }.map { "lars_filter leaves out names that contain \"\($0)\"" }
    }

    override class var readsRates: Bool { true }

    private let inner: Rule
    private let epsilon, coefficient: Double
    private let clips: Bool
    private let filter: [String]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        inner = settings.note("optimizer", try LARSInner.make(plan)) { $0.plan.canonicalOptimizer }.rule
        epsilon = try settings.number("epsilon", default: 1e-5)
        coefficient = try settings.number("coefficient", default: 0.001)
        clips = try settings.boolean("use_clip", default: false)
        filter = try LARSInner.filter(settings)
        if clips, plan.hasDynamicRate, plan.groups.contains(where: \.hasOwnLearningRate) {
            throw settings.complaint(
                "use_clip", .valueError, "`use_clip` excludes rates that are both dynamic and grouped.",
                "a fixed rate, or one rate for all", "both")
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { inner.slotDefinitions }
    override var scalars: [(name: String, first: Double)] { inner.scalars }
    override var derivedScalars: Set<String> { inner.derivedScalars }

    override func parameterScalars(_ state: OptimizerState) -> [String: [Double]] { inner.parameterScalars(state) }

    override func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] { inner.modelScalars(state) }

    override var kernel: pk_rule { inner.kernel }
    override var mergesNeighbours: Bool { inner.mergesNeighbours }

    override func constants(_ moment: Moment) -> pk_constants { inner.constants(within(moment)) }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        inner.adjust(&numbers, of: parameter, at: within(moment), &pass)
    }

    override func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) { inner.apply(&update, &pass) }

    /// The moment for the inner rule, without decay.
    private func within(_ moment: Moment) -> Moment {
        var moment = moment
        moment.decay = 0
        return moment
    }

    /// LARS prepares the gradient completely, so the inner kernel receives it bare.
    override func conditionAhead(_ tensor: Tensor, _ pass: inout UpdatePass) -> pk_pass? {
        pass.count(gradient: tensor)
        adapt(tensor, pass)
        if pass.layout.parameters[tensor.index].isCentralized { pass.center(tensor) }
        return pk_pass()
    }

    override func construct(_ gradients: [Tensor], _ pass: inout UpdatePass) throws(OptimizerError) {
        for gradient in gradients { adapt(gradient, pass, isUnscaled: true) }
        pass.applyStaged(pass.gradientsCentralization(gradients))
    }

    /// Unscales a gradient and scales it by its trust ratio.
    private func adapt(_ tensor: Tensor, _ pass: UpdatePass, isUnscaled: Bool = false) {
        let parameter = pass.layout.parameters[tensor.index]
        guard let group = parameter.groupIndex, let base = tensor.values.baseAddress else { return }
        let count = tensor.values.count
        if let unscale = pass.unscale, !isUnscaled { tensor.scale(by: unscale) }
        if let factor = pass.scaleAfter { tensor.scale(by: factor) }
        guard !filter.contains(where: { parameter.name.contains(Name($0)) }) else { return }
        let decay = parameter.decays ? pass.decays[group] : 0
        let weights = pass.current + parameter.range.lowerBound
        let weightNorm = VectorMath.sumOfSquares(weights, count: count).squareRoot()
        let gradientNorm = VectorMath.sumOfSquares(base, count: count).squareRoot()
        var ratio = 1.0
        if weightNorm > 0 && gradientNorm > 0 {
            ratio = coefficient * weightNorm / (gradientNorm + Double(decay) * weightNorm + epsilon)
        }
        if clips { ratio = min(ratio / Double(pass.rates[group]), 1) }
        var scaling = pk_pass()
        (scaling.decay, scaling.decays) = (decay, 1)
        (scaling.after, scaling.scales_after) = (Float(ratio), 1)
        pass.condition(tensor, scaling)
    }
}

/// The reading of LARS's own arguments.
enum LARSInner {
    /// The inner optimizer, with the same definition minus weight decay and loss scale.
    static func make(_ plan: OptimizerPlan) throws(OptimizerError) -> (plan: OptimizerPlan, rule: Rule) {
        guard let setting = plan.hyperparameters.raw("optimizer") else {
            throw .invalid("/optimizer/optimizer", .typeError, "LARS needs `optimizer`, the optimizer that it wraps.")
        }
        let groups = plan.definition["groups"]?.elements.map { groups in
            SettingValue.array(groups.map { $0.setting("weight_decay", to: nil) })
        }
        let definition = plan.definition.setting("optimizer", to: setting).setting("weight_decay", to: nil)
            .setting("loss_scale", to: nil).setting("loss_scaling", to: nil).setting("groups", to: groups)
        let parameters = plan.layout.parameters.map(ParameterDefinition.init)
        let inner: (plan: OptimizerPlan, rules: [Rule])
        do {
            inner = try plan.catalogue.draft(definition: definition, parameters: parameters)
        } catch .invalid(var complaint) where complaint.pointer.hasPrefix("/optimizer") {
            complaint.pointer = "/optimizer" + complaint.pointer
            throw .invalid(complaint)
        }
        guard inner.plan.row.own == nil, !inner.plan.row.traits.wrapsAnother,
            inner.plan.layout.places(like: plan.layout)
        else {
            throw .invalid(
                "/optimizer/optimizer", .valueError, "LARS can only wrap a built-in optimizer of MindSpore.",
                expected: "Momentum, SGD, ...", got: setting.kind)
        }
        return (inner.plan, inner.rules[0])
    }

    /// `lars_filter`: substrings of the names to exclude.
    static func filter(_ settings: SettingReader) throws(OptimizerError) -> [String] {
        settings.note("lars_filter", try words(settings)) { .array($0.map(SettingValue.string)) }
    }

    private static func words(_ settings: SettingReader) throws(OptimizerError) -> [String] {
        guard let setting = settings.raw("lars_filter") else { return ["LayerNorm", "bias"] }
        let words = "an array of strings, substrings of the names to exclude"
        guard let elements = setting.elements else {
            throw settings.complaint(
                "lars_filter", .typeError, "`lars_filter` must be \(words); got \(setting.kind).", words, setting.kind)
        }
        var filter: [String] = []
        for (place, element) in elements.enumerated() {
            guard let text = element.stringValue else {
                throw .wrongKind(
                    "\(settings.pointer)/lars_filter/\(place)", "`lars_filter`", words, element, expected: "a string")
            }
            filter.append(text)
        }
        return filter
    }
}
