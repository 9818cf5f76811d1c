// Following what happens, as Server-Sent Events: for browsers' `EventSource`, curl -N, and anything that reads lines.

import HTTPServing
import Names
import Optimizers
import ParameterServing

/// `GET /v1/models/{m}/events`.
@Sendable func followModel(_ call: Call) throws(Problem) -> Plan {
    let model = try call.model()
    return try follow(call, model.events)
}

/// `GET /v1/events`.
@Sendable func followAll(_ call: Call) throws(Problem) -> Plan {
    try follow(call, call.api.registry.events)
}

private func follow(_ call: Call, _ feed: EventFeed) throws(Problem) -> Plan {
    let kinds = try call.eventKinds()
    let last = try call.lastEvent(of: feed, for: kinds)
    return .answer { exchange in
        call.answer(exchange) { () throws(Problem) in try call.stream(of: feed, kinds, after: last ?? feed.newest) }
    }
}

extension Call {
    /// The kinds in `types`, separated by commas; all of them without it.
    fileprivate func eventKinds() throws(Problem) -> Set<ModelEvent.Kind> {
        guard let text = query(.types) else { return Set(ModelEvent.Kind.allCases) }
        let names = text.parts(between: ",")
        let kinds = names.compactMap { ModelEvent.Kind(rawValue: String($0)) }
        guard kinds.count == names.count, !kinds.isEmpty else {
            let known = ModelEvent.Kind.allCases.map(\.rawValue)
            let unknown = names.first { !known.contains(String($0)) } ?? ""
            throw Problem(
                .invalidQuery,
                "`types` has no event `\(unknown.prefix(40))`; choose from \(known.joined(separator: ",")), separated by commas."
            )
        }
        return Set(kinds)
    }

    /// The place to continue from: the header, which browsers send, or the query; nil for the present.
    ///
    /// - Throws: `eventUnknown` for a place of another model or one that has not been reached, `eventsTooOld`.
    fileprivate func lastEvent(of feed: EventFeed, for kinds: Set<ModelEvent.Kind>) throws(Problem) -> EventID? {
        guard let text = request.headers["Last-Event-ID"] ?? query(.lastEventID), !text.isEmpty else { return nil }
        guard let (uid, id) = EventID.reading(text) else {
            throw Problem(
                .invalidQuery,
                "`\(text.prefix(40))` is not the id of an event, such as \(feed.newest.text(in: feed.uid)).")
        }
        do throws(ServingError) {
            try feed.check(id, of: uid, for: kinds)
            return id
        } catch {
            throw Problem(error)
        }
    }

    /// The answer that continues until the client leaves or the feed ends.
    fileprivate func stream(
        of feed: EventFeed, _ kinds: Set<ModelEvent.Kind>, after place: EventID
    ) throws(Problem) -> Response {
        let configuration = api.registry.configuration
        guard let seat = api.streams.seat(atMost: configuration.mostEventStreams) else {
            throw Problem(tooManyStreams: configuration.mostEventStreams)
        }
        let stream = EventStream(feed, of: kinds, after: place, heartbeat: configuration.eventHeartbeat, seat)
        return Response(
            status: 200,
            headers: [
                WireFormat.events.header, (name: "Cache-Control", value: "no-cache"),
                (name: "X-Accel-Buffering", value: "no"),
            ], body: .stream(stream))
    }
}

extension Problem {
    /// All places for streams of events are taken.
    init(tooManyStreams limit: Int) {
        self.init(
            .tooManyStreams, "The daemon already serves \(limit) event streams, the limit `event-streams`.",
            hint: "Try again later, or close a stream that you do not need.")
        retryAfter = 5
    }
}
