// The fingerprint of a push: which gradients are the same, the stored form, and pushes of earlier releases, whose
// fingerprints depend on the layout.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Fingerprints of gradients")
struct TensorsFingerprintTests {
    private static func values(_ values: Float...) -> Fingerprint {
        values.withUnsafeBytes { Fingerprint(of: $0) }
    }

    private static func print(_ add: (inout TensorsFingerprint) -> Void) -> Fingerprint {
        var tensors = TensorsFingerprint()
        add(&tensors)
        return tensors.fingerprint
    }

    private static let two = print {
        $0.add("w", shape: [1, 2], values: values(1, -2))
        $0.add("é", rows: [3, 1], values: values(0.5, 0.25))
    }

    /// Computed with Python's struct module and the C library of XXH3: they are stored, so they must not change.
    @Test("the stored form")
    func golden() {
        let one = Self.print { $0.add("w", shape: [1, 2], values: Self.values(1, -2)) }
        #expect("\(one)" == "f5e302658237c6a81f5d9c65be1b22b2")
        #expect("\(Self.two)" == "cff71a9849c27b4e5d9b4fa1fb872067")
    }

    @Test("the order of tensors does not matter")
    func order() {
        let turned = Self.print {
            $0.add("é", rows: [3, 1], values: Self.values(0.5, 0.25))
            $0.add("w", shape: [1, 2], values: Self.values(1, -2))
        }
        #expect(turned == Self.two)
    }

    @Test("names, shapes, bits, rows and tensors that cannot be read make a difference")
    func differences() {
        let all = [
            Self.print { _ in },
            Self.print { $0.add("w", shape: [1, 1], values: Self.values(0)) },
            Self.print { $0.add("v", shape: [1, 1], values: Self.values(0)) },
            Self.print { $0.add("w", shape: [1], values: Self.values(0)) },
            Self.print { $0.add("w", shape: [1, 1], values: Self.values(-0.0)) },
            Self.print { $0.add("w", rows: [0], values: Self.values(0)) },
            Self.print { $0.add("w", rows: [1], values: Self.values(0)) },
            Self.print { $0.addUnread("w") },
            Self.two,
        ]
        #expect(Set(all).count == all.count)
    }

    private static let sgd: SettingValue = ["optimizer": "sgd", "learning_rate": 0.5]
    private static let other = Fingerprint(high: 1, low: 2)

    /// What a release that compared tensors and hyperparameters stored, and what a push with these fields has now.
    private static func upgrade(_ push: inout Push, _ tensors: Fingerprint, isStored: Bool) {
        let earlier = tensors.with(push.hyperparameters)
        (push.tensors, push.fingerprint) = isStored ? (nil, earlier) : (tensors, tensors.with(other))
    }

    @Test("a fingerprint of tensors and hyperparameters is that of an earlier release; with other ones it is not")
    func upgradedTensors() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            func send(_ rate: Double, _ tensors: Fingerprint, isStored: Bool, under text: String?) throws -> Receipt {
                var push = try model.makePush(["w": [1, 2]], text == nil ? seq(1) : nil)
                push.hyperparameters = Hyperparameters(["learning_rate": .number(rate)])
                Self.upgrade(&push, tensors, isStored: isStored)
                let key = text.map { RequestKey(text: Name($0), target: nil, body: push.fingerprint, time: 0) }
                return try model.perform(Change.push(push).under(key))
            }
            for key in [nil, "k"] {
                #expect(try !send(0.25, Self.two, isStored: true, under: key).replayed)
                #expect(try send(0.25, Self.two, isStored: false, under: key).replayed)
                let reused: ServingError = key.map { .keyReused(key: $0) } ?? .pushReused(seq(1))
                try model.refuses(reused) { _ = try send(0.5, Self.two, isStored: false, under: key) }
                try model.refuses(reused) { _ = try send(0.25, Self.other, isStored: false, under: key) }
            }
            #expect(model.values() == [-0.5, -1])
        }
    }

    @Test("a fingerprint with fields is never that of the tensors alone, nor one with hyperparameters")
    func fields() {
        let nothing = SettingValue.object([]).fingerprint
        let brought = Hyperparameters(["learning_rate": 0.5])
        let all = [
            Self.two, Self.two.with(brought), Self.two.with(nothing), Self.two.with(brought.setting.fingerprint),
            Self.two.with(Self.other),
        ]
        #expect(Set(all).count == all.count)
    }

    @Test("a retry of a push that an earlier release stored gets its receipt; another body does not")
    func upgradedNumber() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            // A test's push has the fingerprint that earlier releases stored.
            try model.push(["w": [1, 2]], seq(1), bringing: ["learning_rate": 0.25])
            for (numbers, isRetry) in [([1, 2] as [Float], true), ([1, 3], false)] {
                var push = try model.makePush(["w": numbers], seq(1))
                push.hyperparameters = Hyperparameters(["learning_rate": 0.25])
                push.fingerprint = Self.other
                if isRetry {
                    #expect(try model.perform(Change.push(push)).replayed)
                } else {
                    try model.refuses(.pushReused(seq(1))) { _ = try model.perform(Change.push(push)) }
                }
            }
            #expect(model.values() == [-0.25, -0.5])
        }
    }

    @Test("the same under a key")
    func upgradedKey() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, [("w", [0, 0])])
            func send(_ numbers: [Float], _ print: Fingerprint?) throws -> Receipt {
                var push = try model.makePush(["w": numbers])
                push.fingerprint = print ?? push.fingerprint
                let key = RequestKey(text: "k", target: nil, body: push.fingerprint, time: 0)
                return try model.perform(Change.push(push).under(key))
            }
            #expect(try !send([1, 2], nil).replayed)
            #expect(try send([1, 2], Self.other).replayed)
            try model.refuses(.keyReused(key: "k")) { _ = try send([1, 3], Self.other) }
            #expect(model.values() == [-0.5, -1])
        }
    }
}
