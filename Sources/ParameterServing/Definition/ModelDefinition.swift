// What a create request says, already free of JSON: the optimizer's settings and the parameters with the values they
// start from. Its binary form (ModelDefinition+Binary.swift) goes into the journal.

import Optimizers

/// Everything that makes a model: settings of the optimizer, parameters, first values.
public struct ModelDefinition: Sendable {
    /// The optimizer's part of the definition, as `Catalogue.makeOptimizer` takes it.
    public var settings: SettingValue
    /// The parameters in the order written.
    public var parameters: [InitialParameter]

    /// Makes a definition of its parts.
    public init(settings: SettingValue, parameters: [InitialParameter]) {
        self.settings = settings
        self.parameters = parameters
    }
}

/// A parameter and the values it starts from.
public struct InitialParameter: Sendable {
    /// Name, shape, whether it is trained.
    public var definition: ParameterDefinition
    /// Where the first values come from.
    public var value: InitialValue

    /// Makes a parameter of its parts.
    public init(definition: ParameterDefinition, value: InitialValue) {
        self.definition = definition
        self.value = value
    }
}

/// The first values of a parameter.
public enum InitialValue: Sendable {
    /// These values, row-major.
    case values(Floats)
    /// An initializer with its arguments, such as `"zeros"` or `{"type":"he_uniform","seed":1}`.
    case initializer(SettingValue)
}
