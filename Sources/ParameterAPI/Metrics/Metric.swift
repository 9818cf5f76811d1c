// One row of the table of metrics: a number that the daemon shows of itself, and how it is read.

/// A number that changes while the daemon runs.
struct Metric: Sendable {
    /// How the number moves.
    enum Kind: String {
        /// It only rises, from 0 at the start.
        case counter
        /// It rises and falls.
        case gauge
    }

    /// What the number counts.
    enum Unit: String {
        case things = ""
        case bytes
        case microseconds
    }

    /// The object of `/v1/server` that has it.
    enum Group: String, CaseIterable {
        case top = ""
        case memory
        case network
        case invariants
        case journal
    }

    let group: Group
    /// Its name in the group, in the words of JSON.
    let member: String
    let kind: Kind
    let unit: Unit
    /// One sentence, which the contract has too.
    let help: String
    /// Its value now; nil where the daemon has no such thing, as a journal.
    let read: @Sendable (ParameterAPI) -> Int?

    /// Makes a row.
    init(
        _ group: Group, _ member: String, _ kind: Kind, in unit: Unit = .things, _ help: String,
        read: @escaping @Sendable (ParameterAPI) -> Int?
    ) {
        (self.group, self.member, self.kind, self.unit, self.help) = (group, member, kind, unit, help)
        self.read = read
    }
}
