// The limits that are part of the contract: the same on every server.

import TensorCoding

/// Limits that no flag changes.
public enum FixedLimits {
    /// The longest wait of a pull, in seconds.
    public static let longestWait = 300
    /// The most points of a curve.
    public static let curvePoints = 100_000
    /// The most rows of one answer.
    public static let rows = 100_000
    /// What a JSON body may hold.
    public static let json = JSONLimits()
}
