// The record types of the journal. The numbers are part of the format on disk and never change their meaning.

/// The type of a record.
enum CommandKind: UInt16 {
    case create = 1
    case delete = 2
    case push = 3
    case importValues = 4
    case reconfigure = 5
    case register = 6
    case restore = 7
    case createFromImage = 8
    case importIfVersion = 9
    case salvage = 10
    case closeRound = 12
    case dismiss = 13
    case endLeases = 14
    case note = 15
    /// A registration whose epoch comes from the model's counter; in `register` each worker has its own.
    case registerCounted = 16
    /// A change of the layout, in one of the forms of `LayoutRecord`.
    case layout = 17
    /// As `createFromImage`, with the pushes that the round of the new model holds.
    case createWithRound = 18
    case report = 19
    // A record of an unknown type stops a start: a later daemon wrote it.
}
