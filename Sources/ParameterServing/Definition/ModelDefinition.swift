// The content of a create request, without JSON: the optimizer's settings and the parameters with their initial values.
// Its binary form (ModelDefinition+Binary.swift) is written to the journal.

import Optimizers

/// Everything that makes a model: settings of the optimizer, parameters, initial values.
public struct ModelDefinition: Sendable {
    /// The optimizer's part of the definition, for `Catalogue.makeOptimizer`.
    public var settings: SettingValue
    /// The parameters in the order written.
    public var parameters: [InitialParameter]

    /// Makes a definition from its parts.
    public init(settings: SettingValue, parameters: [InitialParameter]) {
        self.settings = settings
        self.parameters = parameters
    }
}

/// A parameter and its initial values.
public struct InitialParameter: Sendable {
    /// Name, shape, and whether it is trained.
    public var definition: ParameterDefinition
    /// The source of the initial values.
    public var value: InitialValue

    /// Makes a parameter from its parts.
    public init(definition: ParameterDefinition, value: InitialValue) {
        self.definition = definition
        self.value = value
    }
}

/// The initial values of a parameter.
public enum InitialValue: Sendable {
    /// These values, row-major.
    case values(Floats)
    /// An initializer with its arguments, such as `"zeros"` or `{"type":"he_uniform","seed":1}`.
    case initializer(SettingValue)
}
