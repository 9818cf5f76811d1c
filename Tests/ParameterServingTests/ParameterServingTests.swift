import Testing

@testable import ParameterServing
