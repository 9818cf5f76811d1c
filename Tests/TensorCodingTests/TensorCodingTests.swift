import Testing

@testable import TensorCoding
