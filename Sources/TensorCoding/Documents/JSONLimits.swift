// How much of a document the reader takes before it refuses; numbers of tensors are bounded by their destination instead.

/// The limits of one reading.
public struct JSONLimits: Sendable, Equatable {
    /// The most dimensions of a tensor.
    public static let rank = 32

    /// Levels of arrays and objects; jansson recurses once per level, so keep it far below its 2048.
    public var depth: Int
    /// Bytes of the document beside its tensors.
    ///
    /// jansson needs up to 80 times as much for a moment.
    public var documentBytes: Int
    /// Bytes of a string beside the tensors, which are names and words; keys have a limit of the same size.
    public var textBytes: Int
    /// Tensors of one body.
    public var tensors: Int
    /// Issues described in full; further ones are counted only.
    public var issues: Int

    /// Limits that suit a push: 32 levels, 4 MiB of envelope, 4 KiB for a string, 65,536 tensors, 16 issues.
    public init(
        depth: Int = 32, documentBytes: Int = 4 << 20, textBytes: Int = 4096, tensors: Int = 65_536, issues: Int = 16
    ) {
        self.depth = depth
        self.documentBytes = documentBytes
        self.textBytes = textBytes
        self.tensors = tensors
        self.issues = issues
    }
}
