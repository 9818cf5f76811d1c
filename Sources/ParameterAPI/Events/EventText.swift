// Events in the format of Server-Sent Events. Source: WHATWG HTML, section 9.2.5 "Parsing an event stream".

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The text of a stream of events.
enum EventText {
    /// A line that readers ignore: it only shows that the connection is open.
    static let heartbeat = Array(": heartbeat\n\n".utf8)

    /// The start of a stream: how long to wait before a reconnection, and the place to continue from.
    static func start(at id: EventID, of feed: ModelUID) -> [UInt8] {
        Array("retry: 2000\nid: \(id.text(in: feed))\n\n".utf8)
    }

    /// An event with its place.
    static func event(_ event: FeedEvent, of feed: ModelUID) -> [UInt8] {
        text(event.event.kind.rawValue, id: event.id.text(in: feed)) { $0.event(event) }
    }

    /// The notice that events are missing, with the place from which the stream continues.
    static func gap(upTo id: EventID, of feed: ModelUID) -> [UInt8] {
        text("gap", id: id.text(in: feed)) { writer in
            writer.beginObject()
            writer.member("missed_through", id.text(in: feed))
            writer.endObject()
        }
    }

    /// The notice that the daemon is stopping; readers reconnect and continue.
    static let shutdown = Array("event: shutdown\ndata: {}\n\n".utf8)

    private static func text(_ name: String, id: String, _ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        write(&writer)
        // JSON escapes line breaks, so the data is one line.
        return Array("id: \(id)\nevent: \(name)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}

extension JSONWriter {
    /// Writes what an event says.
    fileprivate mutating func event(_ event: FeedEvent) {
        beginObject()
        member("model", event.model)
        member("uid", event.uid.description)
        if let time = event.time { member("time", time) }
        switch event.event {
        case .created: break
        case .update(let step, let version, let loss):
            place(event.uid, step, version)
            if let loss { member("loss", loss) }
        case .round(let settled): round(settled, of: event.uid)
        case .imported(let step, let version): place(event.uid, step, version)
        case .restored(let step, let version, let checkpoint):
            place(event.uid, step, version)
            if let checkpoint { member("checkpoint", Int(checkpoint)) }
        case .patch(let settings), .grown(let settings):
            place(event.uid, settings.step, settings.version)
            changes(settings)
        case .checkpoint(let facts):
            member("id", Int(facts.id))
            place(event.uid, facts.step, facts.version)
        case .workerJoined(let worker, let epoch):
            member("worker", worker)
            member("epoch", epoch)
        case .workerLeft(let worker, let epoch, let reason):
            member("worker", worker)
            member("epoch", epoch)
            member("reason", reason.rawValue)
        case .deleted(let isReplaced): member("replaced", isReplaced)
        }
        endObject()
    }

    private mutating func round(_ settled: SettledRound, of uid: ModelUID) {
        member("round", settled.number)
        member("pushes", settled.pushes)
        if let needed = settled.needed { member("needed", needed) }
        member("outcome", settled.outcome.rawValue)
        member("reason", settled.reason.rawValue)
        if let version = settled.version { place(uid, settled.step, version) } else { member("step", settled.step) }
    }

    private mutating func place(_ uid: ModelUID, _ step: Int, _ version: Int) {
        member("step", step)
        member("version", version)
        member("cursor", Cursor(uid: uid, version: version).description)
    }

    /// Writes changed settings.
    private mutating func changes(_ settings: PatchedSettings) {
        key("changes")
        beginArray()
        for change in settings.changes {
            beginObject()
            member("path", change.path)
            key("old")
            setting(change.old)
            key("new")
            setting(change.new)
            endObject()
        }
        endArray()
        if settings.more > 0 { member("more", settings.more) }
    }
}
