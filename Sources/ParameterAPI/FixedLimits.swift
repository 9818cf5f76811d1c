// The limits that are part of the contract: equal on every server.

import TensorCoding

/// Limits that cannot be changed.
public enum FixedLimits {
    /// The longest wait of a pull, in seconds.
    public static let longestWait = 300
    /// The most points of a curve.
    public static let curvePoints = 100_000
    /// The most values of all curves of one answer: points times groups.
    public static let curveValues = 1_000_000
    /// The most comparisons of a pull: its patterns times the model's parameters.
    public static let pullMatches = 200_000
    /// The most models on a page of the list.
    public static let pageSize = 1000
    /// The most bytes of a model's or a worker's name.
    public static let nameBytes = 128
    /// The most versions in one `If-Match`: the journal stores their number in one byte.
    public static let conditionVersions = 255
    /// The most mistakes listed in one answer, which counts all.
    public static let listedMistakes = 4096
    /// The most unknown names of one body that get suggestions.
    public static let suggestions = 8
    /// The longest word of a request that a refusal quotes whole, in characters: every valid parameter's name is
    /// shorter.
    public static let quotedCharacters = 300
    /// The most parameters that a 16-bit answer names because their values are beyond its range.
    public static let namesBeyondRange = 20
    /// The most checksums of checkpoints that are kept, for the next range of the same file.
    public static let keptChecksums = 256
    /// The most entries of rate arrays that a page repeats for groups or parameters that share them.
    public static let repeatedRates = 100_000
    /// The largest integer in a request: beyond it, JSON libraries round.
    ///
    /// Source: RFC 8259, section 6.
    public static let largestInteger = (1 << 53) - 1
    /// The most rows of one answer.
    public static let rows = 100_000
    /// The most names that a network thread searches, times the arguments of the request, and the most tensors of a
    /// file that it begins to read at once: each takes about a microsecond.
    public static let namesInPlace = 1000
    /// The limits of a JSON body with arrays of rates: room for a million rates, written in full.
    public static let rates = JSONLimits(documentBytes: 64 << 20)
    /// The limits of a JSON body.
    public static let json = JSONLimits()
}
