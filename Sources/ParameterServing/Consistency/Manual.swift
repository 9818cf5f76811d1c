// Mode `manual`: pushes are held until `POST step` applies them as one update.

import Names
import Optimizers

/// Pushes are held until a request closes the round.
public struct Manual: ConsistencyPolicy, Equatable {
    var reduction: Reduction

    init(_ reader: SettingReader) throws(OptimizerError) { reduction = try Reduction(reader) }

    func decide(_ arrival: ArrivingPush, _ round: RoundView) -> Decision {
        round.refusal(ofBroughtBy: arrival).map { .refuse($0) } ?? .hold
    }

    var members: [(Name, SettingValue)] { reduction.members }
}
