// `?average=ema`: an average instead of the parameters, wherever values are read.

import Names
import Optimizers
import ParameterServing
import TensorCoding

extension Call {
    /// The average that the query names; nil for the parameters themselves.
    ///
    /// - Throws: `invalidQuery` for a name that the model does not have.
    func average(of facts: ModelFacts) throws(Problem) -> Name? {
        guard let text = query(.average) else { return nil }
        let (name, known) = (Name(text), facts.averages.map(\.kind.name))
        guard known.contains(name) else { throw Problem(average: name, known: known) }
        return name
    }
}

extension Problem {
    /// The problem for an average that is not kept.
    init(average name: Name, known: [Name]) {
        let shown = name.text.prefix(40)
        if let kind = Average.Kind(rawValue: name.text) {
            self.init(
                .invalidQuery, "The model does not keep an average `\(kind.name)`.",
                hint:
                    "PATCH the model with {\"averages\":{\"\(kind.name)\":{}}}, and the average starts with the next update."
            )
        } else if known.isEmpty {
            self.init(
                .invalidQuery, "Unknown average `\(shown)`: the model does not keep averages.",
                hint: "PATCH the model with {\"averages\":{\"ema\":{\"decay\":0.999}}}, or leave `average` out.")
        } else {
            self.init(
                .invalidQuery, "Unknown average `\(shown)`; \(NearestNames.hint(name, among: known))")
        }
    }
}

extension JSONWriter {
    /// Writes which average an answer holds, and how many updates it has taken in; nothing for the parameters.
    mutating func members(of average: PublishedAverage?) {
        guard let average else { return }
        member("average", average.name)
        member("average_updates", average.updates)
    }

    /// Writes the averages of a version, if it has any.
    mutating func averages(_ version: PublishedVersion) {
        if version.averages.isEmpty { return }
        key("averages")
        beginObject()
        for published in version.averages {
            let average = published.average
            key(published.name)
            beginObject()
            switch average.kind {
            case .ema: member("decay", average.decay)
            case .swa: member("every", average.every)
            }
            member("start", average.start)
            member("updates", published.updates)
            member("next_update", average.nextUpdate(after: version.step))
            endObject()
        }
        endObject()
    }
}
