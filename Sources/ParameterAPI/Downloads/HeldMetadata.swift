// The pushes of the open round in the metadata of a checkpoint's file, for readers other than this server. Their
// gradients are the tensors `PARAMETER#held.K`. An upload reads them from `paramd.image`.

import Names
import ParameterServing
import TensorCoding

/// The readable list of held pushes.
enum HeldMetadata {
    /// The metadata key.
    static let key: Name = "paramd.held"

    /// A JSON array with an object for each push, in the order of their arrival; nil without pushes.
    static func text(of file: CheckpointFile) -> String? {
        if file.held.isEmpty { return nil }
        var writer = JSONWriter()
        writer.beginArray()
        for push in file.held { writer.held(push) }
        writer.endArray()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension JSONWriter {
    fileprivate mutating func held(_ push: HeldInFile) {
        beginObject()
        if let key = push.key {
            member("worker", key.worker.text)
            member("epoch", key.epoch)
            member("seq", key.seq)
        }
        if let key = push.requestKey { member("key", key.text) }
        if let examples = push.examples { member("num_examples", examples) }
        switch push.basedOn {
        case .step(let step): member("based_on", step)
        case .cursor(let cursor): member("based_on", "\(cursor)")
        case nil: break
        }
        if let loss = push.loss { member("loss", loss) }
        key("indices")
        beginObject()
        for rows in push.rows {
            key(rows.parameter)
            integers(rows.indices)
        }
        endObject()
        endObject()
    }
}
