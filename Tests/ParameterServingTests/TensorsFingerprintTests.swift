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
