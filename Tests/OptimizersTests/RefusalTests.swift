// Every recorded refusal of MindSpore, from Tests/conformance/data/errors.json: each row is marked, and paramd's
// behaviour is tested here in process and by the conformance tests over HTTP.

import Foundation
import Names
import Testing

@testable import Optimizers

@Suite("Refusals")
struct RefusalTests {
    static let table: SettingValue = {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("conformance/data/errors.json")
        return (try? SettingJSON.read([UInt8](Data(contentsOf: url)))) ?? .null
    }()

    static let rows = table["rows"]?.elements ?? []
    static let driven = rows.indices.filter { rows[$0]["body"] != nil && rows[$0]["server"] == nil }

    @Test("each recorded row is marked, with a reason unless it is the same")
    func marked() throws {
        let recorded = try GoldenCase.read("errors")["cases"]?.elements ?? []
        let marks = (Self.table["marks"]?.elements ?? []).compactMap(\.stringValue)
        #expect(recorded.count > 200 && marks.count == 3)
        for row in recorded {
            let name = try #require(row["name"])
            let ours = try #require(Self.rows.first { $0["name"] == name }, "\(name) is not marked")
            #expect(ours["observed"] == row["observed"]?["exception"], "\(name)")
            let mark = try #require(ours["mark"]?.stringValue)
            #expect(marks.contains(mark) && (mark == "same") == (ours["reason"] == nil), "\(name)")
            if mark == "same" { #expect(ours["expect"]?["exception"] == ours["observed"], "\(name)") }
        }
    }

    @Test("are what the table says", arguments: driven)
    func refusal(_ place: Int) throws {
        let row = Self.rows[place]
        let name = row["name"]?.stringValue ?? ""
        let expected = row["expect"]?["exception"]?.stringValue
        do {
            let model = try Self.model(row["body"] ?? .null)
            for push in row["pushes"]?.elements ?? [] {
                try model.push(Self.values(push["gradients"]))
            }
            if row["stage"] == .string("get_lr") { _ = try model.optimizer.learningRate }
            #expect(expected == nil, "\(name) was accepted")
            Self.compare(model, row["expect"] ?? .null, name: name)
        } catch let error as OptimizerError {
            #expect(error.exception?.rawValue == expected, "\(name): \(error)")
        }
    }

    private static func model(_ body: SettingValue) throws -> Replay {
        let values = values(body["parameters"])
        let parameters = (body["parameters"]?.entries ?? []).compactMap { entry in
            Shape([values[entry.key]?.count ?? 0]).map { ParameterDefinition(name: entry.key, shape: $0) }
        }
        return try Replay(body.setting("parameters", to: nil), parameters, values: values)
    }

    private static func values(_ object: SettingValue?) -> [Name: [Float]] {
        var values: [Name: [Float]] = [:]
        for entry in object?.entries ?? [] {
            if case .numbers(let list) = entry.value { values[entry.key] = list.map { Float($0) } }
        }
        return values
    }

    private static func compare(_ model: Replay, _ expected: SettingValue, name: String) {
        if let order = expected["parameter_order"]?.elements {
            #expect(
                model.optimizer.layout.parameters.map(\.name) == order.compactMap(\.stringValue).map { Name($0) },
                "\(name)")
        }
        if let rate = expected["first_lr"]?.numberValue {
            #expect((try? model.optimizer.learningRate) == [Float(rate)], "\(name)")
        }
    }

    @Test(
        "a step past the end of an array leaves parameters and step as they were",
        arguments: driven.filter { rows[$0]["pushes"] != nil })
    func pastTheEnd(_ place: Int) throws {
        let row = Self.rows[place]
        let model = try Self.model(row["body"] ?? .null)
        for push in row["pushes"]?.elements ?? [] {
            let before = model.bits
            do {
                try model.push(Self.values(push["gradients"]))
            } catch {
                #expect(model.bits == before)
            }
        }
        #expect(model.optimizer.step == row["expect"]?["step"]?.numberValue.map { Int($0) })
        for (name, values) in Self.values(row["expect"]?["parameters"]) {
            #expect(zip(model[name], values).allSatisfy { GoldenTests.isNear($0, $1) })
        }
    }
}
