// How much of a document the reader accepts; the numbers of tensors are limited by their destination instead.

/// The limits of one reading.
public struct JSONLimits: Sendable, Equatable {
    /// The most dimensions of a tensor.
    public static let rank = 32

    /// Levels of arrays and objects.
    ///
    /// jansson recurses once per level, so keep it far below its limit of 2048.
    public var depth: Int
    /// Bytes of the document outside its tensors.
    ///
    /// jansson temporarily needs up to 80 times as much.
    public var documentBytes: Int
    /// Bytes of a string outside the tensors.
    ///
    /// Keys have the same limit.
    public var textBytes: Int
    /// Tensors in one body.
    public var tensors: Int
    /// Tensors that one call of `read` completes; the bytes of more wait for `JSONBodyReader.work`.
    public var tensorsInPlace: Int
    /// Issues described in full; more are only counted.
    public var issues: Int

    /// The limits of a push: 32 levels, 4 MiB of envelope, 4 KiB for a string, 65,536 tensors, 1,000 of them in one
    /// call, 16 issues.
    public init(
        depth: Int = 32, documentBytes: Int = 4 << 20, textBytes: Int = 4096, tensors: Int = 65_536,
        tensorsInPlace: Int = 1000, issues: Int = 16
    ) {
        self.depth = depth
        self.documentBytes = documentBytes
        self.textBytes = textBytes
        self.tensors = tensors
        self.tensorsInPlace = tensorsInPlace
        self.issues = issues
    }
}
