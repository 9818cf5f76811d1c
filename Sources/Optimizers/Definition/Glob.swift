// Names with * and ?, as groups and pulls write them. Both match any character, `.` and `/` too. Clients choose patterns
// and names, so that a match must not take longer than their lengths say.

import Names

/// A pattern of names: `*` matches any run of characters, `?` any one; a character is a code point.
///
/// All ways to match are followed at once: bit i of a state says that the bytes so far can be what the first i tokens of
/// the pattern stand for. A token is one byte, or a `?`; a `*` is a token that keeps its bit.
public struct Glob: Sendable {
    /// The longest pattern, in bytes; names are shorter by far.
    public static let longest = 1024

    private let tokens: Int
    /// 64-bit words of a state.
    private let words: Int
    /// By byte, word by word: the tokens that take it.
    private var takers: [UInt64]
    /// The tokens before which stands a `*`.
    private var loops: [UInt64]
    /// The tokens behind a `?`, which takes all bytes of its character.
    private var tails: [UInt64]

    /// Makes a pattern.
    public init(_ pattern: Name) {
        let star = UInt8(ascii: "*")
        tokens = pattern.utf8.count { $0 != star }
        words = tokens / 64 + 1
        takers = Array(repeating: 0, count: 256 * words)
        loops = Array(repeating: 0, count: words)
        tails = loops
        var token = 0
        for byte in pattern.utf8 {
            if byte == star {
                loops[token / 64] |= 1 << (token % 64)
            } else {
                add(byte, as: token)
                token += 1
            }
        }
    }

    private mutating func add(_ byte: UInt8, as token: Int) {
        let (word, bit) = (token / 64, UInt64(1) << (token % 64))
        guard byte == UInt8(ascii: "?") else {
            takers[Int(byte) * words + word] |= bit
            return
        }
        for first in 0...255 where !UTF8.isContinuation(UInt8(first)) { takers[first * words + word] |= bit }
        tails[(token + 1) / 64] |= 1 << ((token + 1) % 64)
    }

    /// Whether a name has a wildcard at all.
    public static func isPattern(_ name: Name) -> Bool {
        name.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// Whether the whole name matches.
    ///
    /// Takes one step for each byte of the name and each 64 bytes of the pattern, whatever they hold.
    public func matches(_ name: Name) -> Bool {
        // Each token takes a byte at least.
        guard name.utf8.count >= tokens else { return false }
        var state = [UInt64](repeating: 0, count: words)
        state[0] = 1
        return state.withUnsafeMutableBufferPointer { state in
            for byte in name.utf8 {
                guard advance(state, over: byte) else { return false }
                if endsOpen, isMatched(state) { return true }
            }
            return isMatched(state)
        }
    }

    /// Whether a `*` ends the pattern, so that whatever follows a match matches too.
    private var endsOpen: Bool { loops[tokens / 64] >> (tokens % 64) & 1 == 1 }

    private func isMatched(_ state: UnsafeMutableBufferPointer<UInt64>) -> Bool {
        state[tokens / 64] >> (tokens % 64) & 1 == 1
    }

    /// Takes one byte; false where no way is left.
    private func advance(_ state: UnsafeMutableBufferPointer<UInt64>, over byte: UInt8) -> Bool {
        takers.withUnsafeBufferPointer { takers in
            let row = Int(byte) * words
            let isTail = UTF8.isContinuation(byte)
            var (word, left) = (words - 1, UInt64(0))
            // From the last word down: each needs the one below as it was.
            while word >= 0 {
                let before = state[word]
                var next = (before & takers[row + word]) &<< 1 | before & loops[word]
                if word > 0 { next |= (state[word - 1] & takers[row + word - 1]) &>> 63 }
                if isTail { next |= before & tails[word] }
                state[word] = next
                left |= next
                word -= 1
            }
            return left != 0
        }
    }
}
