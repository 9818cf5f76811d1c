// A golden case as data: the definition that a client would send, its gradients and the results of a real optimizer.
// Golden/README.md says where the files come from.

import Foundation
import Names
import Testing

@testable import Optimizers

/// One recorded run.
struct GoldenCase {
    let name: String
    let json: SettingValue

    static let directory = Bundle.module.resourceURL.map { $0.appendingPathComponent("Golden") }

    /// The file names of a folder of `Golden`, without extension, sorted.
    static func names(in folder: String) -> [String] {
        guard let url = directory?.appendingPathComponent(folder) else { return [] }
        let files = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Every recorded run of `public`.
    static let all = names(in: "public").filter { $0 != "errors" && $0 != "schedules" }

    static func read(_ name: String, folder: String = "public") throws -> SettingValue {
        try SettingJSON.read(bytes("\(folder)/\(name)"))
    }

    /// The bytes of a file of `Golden`.
    static func bytes(_ path: String) throws -> [UInt8] {
        let url = try #require(directory?.appendingPathComponent("\(path).json"))
        return [UInt8](try Data(contentsOf: url))
    }

    /// Every file of `public`, read once for all tests.
    private static let parsed: [String: SettingValue] = Dictionary(
        uniqueKeysWithValues: all.compactMap { name in (try? read(name)).map { (name, $0) } })

    init(_ name: String, folder: String = "public") throws {
        self.name = name
        json = try folder == "public" ? #require(Self.parsed[name]) : Self.read(name, folder: folder)
    }

    var isTorch: Bool { json["framework"]?.stringValue?.hasPrefix("torch") ?? false }
    var optimizer: String { json["optimizer"]?["type"]?.stringValue ?? "" }
    var steps: [SettingValue] { json["steps"]?.elements ?? [] }
    var order: [String] { (json["parameter_order"]?.elements ?? []).compactMap(\.stringValue) }

    var parameters: [ParameterDefinition] {
        order.map { Name($0) }.compactMap { name in
            json["params"]?[name].flatMap(Self.shape).map { ParameterDefinition(name: name, shape: $0) }
        }
    }

    static func shape(_ tensor: SettingValue) -> Shape? {
        Shape((tensor["shape"]?.elements ?? []).compactMap { $0.numberValue.map { Int($0) } })
    }

    static func values(_ tensor: SettingValue?) -> [Float] {
        guard case .numbers(let values)? = tensor?["data"] else { return [] }
        return values.map { Float($0) }
    }

    /// The definition of the case as a request would hold it.
    var definition: SettingValue {
        var entries: [SettingValue.Entry] = []
        func add(_ key: Name, _ value: SettingValue?) {
            if let value { entries.append(SettingValue.Entry(key: key, value: value)) }
        }
        add("optimizer", Self.definition(ofOptimizer: json["optimizer"] ?? .null, isTorch: isTorch))
        if json["learning_rate"] != .null { add("learning_rate", json["learning_rate"]) }
        add("weight_decay", json["weight_decay"])
        add("loss_scale", json["loss_scale"])
        add("groups", groups)
        if !isTorch { add("centralization_rule", .string("mindspore")) }
        add("unique", unique.map(SettingValue.boolean))
        return .object(entries)
    }

    private var groups: SettingValue? {
        guard let groups = json["groups"]?.elements else { return nil }
        var list = groups
        if let order = json["order_params"] {
            list.append(.object([SettingValue.Entry(key: "order_params", value: order)]))
        }
        return .array(list)
    }

    private static func definition(ofOptimizer setting: SettingValue, isTorch: Bool) -> SettingValue {
        var optimizer = setting
        if let inner = optimizer["inner"] {
            optimizer = optimizer.setting("inner", to: nil).setting("optimizer", to: inner)
        }
        return isTorch ? optimizer.setting("framework", to: .string("torch")) : optimizer
    }

    /// Sparse cases of the CPU graph treat each entry separately; the fused and labelled cases sum duplicates first.
    private var unique: Bool? {
        guard name.contains("_sparse_") else { return nil }
        if let unique = json["unique"] { return unique == .boolean(true) }
        return json["target"] != nil
    }
}
