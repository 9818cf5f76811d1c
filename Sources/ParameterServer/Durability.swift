// The journal's durability modes as the value of a setting.

import HTTPServing
import Journal

/// When a push counts as done.
struct Durability: Sendable {
    static let group = Durability(mode: .group, text: "group")

    /// A day, in milliseconds.
    private static let longestInterval = 86_400_000

    /// The journal's mode; nil without a journal.
    let mode: JournalMode?
    /// The value as written in a setting.
    let text: String

    private init(mode: JournalMode?, text: String) {
        self.mode = mode
        self.text = text
    }

    init?(argument: String) {
        text = argument
        switch argument {
        case "group": mode = .group
        case "sync": mode = .sync
        case "none": mode = JournalMode.none
        case "memory": mode = nil
        default:
            let parts = argument.split(separator: ":")
            guard parts.count == 2, parts[0] == "interval", let milliseconds = Int(digits: parts[1]),
                (1...Self.longestInterval).contains(milliseconds)
            else { return nil }
            mode = .interval(milliseconds: milliseconds)
        }
    }

    /// What the answer to a push promises.
    var meaning: String {
        switch mode {
        case nil: "nothing is written; a restart starts empty"
        case .group?, .sync?: "a push is answered after it is on the disk"
        case .interval(let milliseconds)?: "a power cut may lose answered pushes of the last \(milliseconds) ms"
        case JournalMode.none?: "a power cut may lose answered pushes; a crash of the daemon alone does not"
        }
    }
}
