// The table of metrics, the answer of `/v1/server` and the contract list the same numbers: a test names each number
// that only one of them has.

import Foundation
import Testing

@testable import HTTPServing
@testable import ParameterAPI

/// Compares the rows of the table of metrics with the answer and with the contract.
@Suite("The table of metrics is what /v1/server shows") struct MetricTableTests {
    /// Members of the answer that are not numbers, or that explain a number in words.
    private static let others: Set = ["version", "optimizers", "schedules", "settings", "limits", "invariants.places"]

    private static func name(_ metric: Metric) -> String {
        metric.group == .top ? metric.member : "\(metric.group.rawValue).\(metric.member)"
    }

    /// Every member of an object; members of an inner object have both names, and `inner` returns nil for a value that
    /// is not an object.
    private static func members(
        _ object: [String: Any], in prefix: String = "", inner: (Any) -> [String: Any]?
    ) -> [String: Any] {
        var found: [String: Any] = [:]
        for (name, value) in object where !others.contains(prefix + name) {
            guard let members = inner(value) else {
                found[prefix + name] = value
                continue
            }
            found.merge(Self.members(members, in: "\(prefix)\(name).", inner: inner)) { one, _ in one }
        }
        return found
    }

    @Test("the answer has a number for every row, and no other")
    func answered() throws {
        let answer = try #require(try InProcess().send(.get, "/v1/server"))
        let shown = Self.members(answer.json) { $0 as? [String: Any] }
        #expect(Set(shown.keys).symmetricDifference(Metric.all.map(Self.name)) == [])
        #expect(shown.filter { !($0.value is Int) }.keys.sorted() == [])
    }

    @Test("the contract has every row with its help, kind and unit, and no other")
    func documented() throws {
        let schema = try Self.schema("/v1/server")
        let properties = Self.members(schema) { ($0 as? [String: Any])?["properties"] as? [String: Any] }
        #expect(Set(properties.keys).symmetricDifference(Metric.all.map(Self.name)) == [])
        for metric in Metric.all {
            let property = properties[Self.name(metric)] as? [String: Any] ?? [:]
            #expect(property["description"] as? String == metric.help, "\(Self.name(metric))")
            #expect(property["x-kind"] as? String == metric.kind.rawValue, "\(Self.name(metric))")
            #expect(property["x-unit"] as? String ?? "" == metric.unit.rawValue, "\(Self.name(metric))")
            #expect(metric.help.hasSuffix("."), "\(Self.name(metric))")
        }
    }

    @Test("every counter of the server is read by one row, and adds up over the loops")
    func counters() throws {
        var one = HTTPCounters()
        (one.connections, one.parked, one.accepted, one.requests) = (1, 2, 3, 4)
        (one.clientErrors, one.serverErrors, one.receivedBytes, one.queuedBytes) = (5, 6, 7, 8)
        one.longestJob = 9000
        let (counters, server) = (one, try InProcess())
        #expect(Mirror(reflecting: counters).children.count == 9)
        server.api.tell { counters + counters }
        // The streams of events are not the network's: the API counts them.
        let rows = Metric.all.filter { $0.group == .network && $0.member != "event_streams" }
        #expect(rows.compactMap { $0.read(server.api) }.sorted() == [2, 4, 6, 8, 9, 10, 12, 14, 16])
    }

    /// The properties of an operation's answer, according to the contract.
    private static func schema(_ path: String) throws -> [String: Any] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/ParameterAPI/Resources/openapi.json").standardized
        var found: Any? = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        for step in ["paths", path, "get", "responses", "200", "content", "application/json", "schema", "properties"] {
            found = (found as? [String: Any])?[step]
        }
        return try #require(found as? [String: Any], "\(path) is not in the contract")
    }
}
