// One row of the table of metrics: a number that the daemon reports about itself, and how to read it.

/// A number that changes while the daemon runs.
struct Metric: Sendable {
    /// How the number changes.
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

    /// The object of `/v1/server` that contains the number.
    enum Group: String, CaseIterable {
        case top = ""
        case memory
        case network
        case invariants
        case journal
    }

    let group: Group
    /// The member's name in the group, as in the JSON.
    let member: String
    let kind: Kind
    let unit: Unit
    /// The meaning in one sentence; the contract has the same one.
    let help: String
    /// Reads the value; nil if it does not apply to this daemon, such as the journal's in a daemon without one.
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
