// The route table and the contract agree in both directions: any difference is named.

import Foundation
import Testing

@testable import ParameterAPI

/// The rows of the route table against the operations of `openapi.json`.
@Suite("The route table is the contract's") struct RouteTableTests {
    /// The properties of one operation that both sides describe.
    private struct Operation: Equatable, CustomStringConvertible {
        var scope: String
        var queries: Set<String>
        var bodies: Set<String>
        var answers: Set<String>
        var summary: String

        var description: String {
            "\(scope) queries \(queries.sorted()) bodies \(bodies.sorted()) answers \(answers.sorted()) \(summary)"
        }
    }

    @Test("both have the same operations, with scope, queries, formats and summary")
    func same() throws {
        let routed = Dictionary(uniqueKeysWithValues: Route.all.map { (Self.name(of: $0), Self.operation($0)) })
        let documented = try Self.contract().filter { !Self.isSuffixed($0.key) }
        #expect(routed.count == Route.all.count)
        for name in Set(routed.keys).union(documented.keys).sorted() {
            #expect(routed[name] == documented[name], "\(name): the route table, then the contract")
        }
    }

    @Test("every suffix of a route is an operation of the contract in that format, and of the same scope")
    func suffixes() throws {
        let documented = try Self.contract()
        var named: Set<String> = []
        for route in Route.all {
            for suffix in route.suffixes {
                let name = "\(Self.name(of: route)).\(suffix.rawValue)"
                let operation = try #require(documented[name], "\(name) is not in the contract")
                named.insert(name)
                #expect(operation.scope == route.scope.rawValue, "\(name)")
                #expect(operation.answers.contains(suffix.mediaType) || route.method == .put, "\(name)")
                #expect(operation.queries.subtracting(Self.operation(route).queries).isEmpty, "\(name)")
            }
        }
        #expect(Set(documented.keys.filter(Self.isSuffixed)) == named)
    }

    @Test("every query argument and every format is of some route")
    func nothingIdle() {
        #expect(Set(Route.all.flatMap { $0.queries ?? [] }) == Set(Query.allCases))
        let formats = Route.all.flatMap { $0.suffixes + $0.bodies + $0.answers }
        #expect(Set(formats) == Set(WireFormat.allCases))
    }

    private static func name(of route: Route) -> String { "\(route.method.rawValue) \(anonymous(route.path))" }

    private static func anonymous(_ path: String) -> String {
        path.replacing(#/\{[^}]*\}/#, with: "{}")
    }

    private static func isSuffixed(_ name: String) -> Bool {
        !name.hasSuffix(" /openapi.json") && name.contains(#/\.[a-z]+$/#)
    }

    private static func operation(_ route: Route) -> Operation {
        Operation(
            scope: route.scope.rawValue, queries: Set((route.queries ?? []).map(\.rawValue)),
            bodies: Set(route.bodies.map(\.mediaType)), answers: Set(route.answers.map(\.mediaType)),
            summary: route.summary)
    }

    /// The operations of the contract by method and path.
    private static func contract() throws -> [String: Operation] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/ParameterAPI/Resources/openapi.json").standardized
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let reader = ContractReader(document: document)
        var operations: [String: Operation] = [:]
        for (path, item) in reader.members("paths") {
            for (method, content) in item where ["get", "put", "post", "patch", "delete"].contains(method) {
                let content = content as? [String: Any] ?? [:]
                operations["\(method.uppercased()) \(anonymous(path))"] = Operation(
                    scope: content["x-scope"] as? String ?? "(no x-scope)",
                    queries: reader.queries(item).union(reader.queries(content)),
                    bodies: reader.media(content["requestBody"]), answers: reader.answers(content),
                    summary: content["summary"] as? String ?? "")
            }
        }
        return operations
    }
}

/// Reads parts of the contract and follows references.
private struct ContractReader {
    let document: [String: Any]

    func members(_ name: String) -> [String: [String: Any]] { document[name] as? [String: [String: Any]] ?? [:] }

    private func resolve(_ part: Any?) -> [String: Any] {
        let part = part as? [String: Any] ?? [:]
        guard let reference = part["$ref"] as? String else { return part }
        var found: Any? = document
        for step in reference.split(separator: "/").dropFirst() { found = (found as? [String: Any])?[String(step)] }
        return resolve(found)
    }

    func queries(_ part: [String: Any]) -> Set<String> {
        let parameters = (part["parameters"] as? [Any] ?? []).map(resolve)
        return Set(parameters.filter { $0["in"] as? String == "query" }.compactMap { $0["name"] as? String })
    }

    func media(_ part: Any?) -> Set<String> { Set((resolve(part)["content"] as? [String: Any] ?? [:]).keys) }

    func answers(_ operation: [String: Any]) -> Set<String> {
        let responses = operation["responses"] as? [String: Any] ?? [:]
        return responses.filter { $0.key.hasPrefix("2") }.values.reduce(into: []) { $0.formUnion(media($1)) }
    }
}
