// Schedules against recorded values of MindSpore's classes and functions, and the rules of learning rates of all forms.

import Testing

@testable import Optimizers

@Suite("Schedules")
struct ScheduleTests {
    static let cases = (try? GoldenCase.read("schedules")["cases"]?.elements) ?? []

    static func kind(_ kind: String) -> [Int] { cases.indices.filter { cases[$0]["kind"]?.stringValue == kind } }

    /// The content of a request: the name of the case, with its arguments.
    static func setting(_ golden: SettingValue) -> SettingValue {
        let arguments = golden["args"]?.entries ?? []
        return .object([SettingValue.Entry(key: "schedule", value: golden["name"] ?? .null)] + arguments)
    }

    @Test("give the recorded values within 1e-6 of their largest", arguments: kind("class") + kind("function"))
    func recorded(_ place: Int) throws {
        let golden = Self.cases[place]
        guard case .numbers(let values)? = golden["values"] else { return }
        let rate = try LearningRate(Self.setting(golden), pointer: "")
        let tolerance = 1e-6 * (values.map(abs).max() ?? 0)
        for (step, value) in values.enumerated() {
            let ours = try #require(rate.value(at: step))
            #expect(abs(Double(ours) - value) <= tolerance, "\(golden["name"]?.stringValue ?? "") at \(step)")
        }
        let isFunction = golden["kind"]?.stringValue == "function"
        #expect(rate.length == (isFunction ? values.count : nil))
    }

    @Test("have recorded values, each of the catalogue", arguments: Catalogue.builtin.scheduleNames)
    func covered(_ name: String) {
        let isClass = name.first?.isUppercase ?? false
        let recorded = Self.cases.compactMap { golden -> String? in
            if isClass { return golden["class"]?.stringValue }
            return golden["kind"] == .string("function") ? golden["name"]?.stringValue : nil
        }
        #expect(recorded.contains(name))
    }

    @Test(
        "are found whatever the spelling",
        arguments: ["CosineDecayLR", "cosine_decay_lr", "cosine_decay", "COSINEDECAY"])
    func spelling(_ name: String) throws {
        let rate = try LearningRate(
            try SettingJSON.read(#"{"schedule":"\#(name)","min_lr":0,"max_lr":1,"decay_steps":2}"#), pointer: "")
        #expect(rate.value(at: 1) == 0.5 && rate.length == nil)
    }

    @Test("a name with total_step means the function, which is an array")
    func functionOrClass() throws {
        let json = #"{"schedule":"warmup_lr","learning_rate":1,"total_step":4,"step_per_epoch":1,"warmup_epoch":2}"#
        let function = try LearningRate(try SettingJSON.read(json), pointer: "")
        #expect(function.length == 4 && function.value(at: 4) == nil && function.value(at: 4, past: .hold) == 1)
        let warmUp = try LearningRate(
            try SettingJSON.read(#"{"schedule":"warmup_lr","learning_rate":1,"warmup_steps":2}"#), pointer: "")
        #expect(warmUp.length == nil && warmUp.value(at: 0) == 0 && warmUp.value(at: 9) == 1)
    }

    @Test("a function of a billion steps costs nothing")
    func lazy() throws {
        let json =
            #"{"schedule":"exponential_decay_lr","learning_rate":0.1,"decay_rate":0.9,"total_step":1000000000,"step_per_epoch":100000000,"decay_epoch":1}"#
        let rate = try LearningRate(try SettingJSON.read(json), pointer: "")
        let last: Float = try #require(rate.value(at: 999_999_999))
        let expected: Float = 0.0387420489
        #expect(abs(last - expected) < 1e-8)
    }

    @Test("a sequence runs its pieces one after another, each from its own step 0")
    func sequence() throws {
        let json = """
            {"schedule":"sequence","of":[{"steps":2,"schedule":"warm_up_lr","learning_rate":1.0,"warmup_steps":2},
            {"steps":3,"lr":[0.5,0.25]},{"schedule":"cosine_decay","min_lr":0.0,"max_lr":0.5,"decay_steps":2}]}
            """
        let rate = try LearningRate(try SettingJSON.read(json), pointer: "")
        let values = (0..<9).compactMap { rate.value(at: $0) }
        #expect(values == [0, 0.5, 0.5, 0.25, 0.25, 0.5, 0.25, 0, 0] as [Float])
        #expect(rate.length == nil)
    }

    @Test("a sequence whose last piece ends is past its end there")
    func finiteSequence() throws {
        let rate = try LearningRate(
            try SettingJSON.read(#"{"schedule":"sequence","of":[{"steps":2,"lr":1},{"steps":1,"lr":2}]}"#), pointer: "")
        #expect(
            rate.length == 3 && rate.value(at: 2) == 2 && rate.value(at: 3) == nil
                && rate.value(at: 3, past: .hold) == 2)
    }

    @Test(
        "refuse what is no schedule",
        arguments: [
            (#"{"schedule":"cosine_decya","min_lr":0}"#, ExceptionClass.valueError, "/lr/schedule"),
            (#"{"min_lr":0}"#, .typeError, "/lr"), (#"{"schedule":3}"#, .typeError, "/lr/schedule"),
            (#"{"append":[1]}"#, .valueError, "/lr"),
            (#"{"schedule":"warm_up_lr","learning_rate":1,"warmup_steps":2,"warmup":1}"#, .typeError, "/lr/warmup"),
            (#"{"schedule":"sequence","of":[]}"#, .valueError, "/lr/of"),
            (#"{"schedule":"sequence","of":[{"lr":1},{"lr":2}]}"#, .typeError, "/lr/of/0/steps"),
            ("true", .typeError, "/lr"), ("null", .typeError, "/lr"), ("-1", .valueError, "/lr"),
            ("1e39", .valueError, "/lr"),
            ("[1,1e39]", .valueError, "/lr/1"),
        ])
    func refused(_ json: String, _ exception: ExceptionClass, _ pointer: String) throws {
        let setting = try SettingJSON.read(json)
        let complaint = try #require(
            complaint { () throws(OptimizerError) in _ = try LearningRate(setting, pointer: "/lr") })
        #expect(complaint.exception == exception && complaint.pointer == pointer)
    }

    @Test("name the nearest one where a name does not exist")
    func nearest() throws {
        let setting = try SettingJSON.read(#"{"schedule":"cosine_decya_lr"}"#)
        let complaint = try #require(
            complaint { () throws(OptimizerError) in _ = try LearningRate(setting, pointer: "") })
        #expect(complaint.detail.contains("did you mean `cosine_decay_lr`"))
    }
}

/// The complaint that a body causes; nil if there is none.
func complaint(_ body: () throws(OptimizerError) -> Void) -> Complaint? {
    do {
        try body()
    } catch .invalid(let complaint) {
        return complaint
    } catch {
        return nil
    }
    return nil
}
