// A definition that writes out the default of `min_pushes`: earlier releases took it for another one, and their images have
// the fingerprint that they made.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Defaults that are written out")
struct SpelledDefaultsTests {
    private static func source(_ consistency: SettingValue) -> ModelSource {
        .definition(.of(["optimizer": "sgd", "consistency": consistency], [("w", [0])]))
    }

    /// The fingerprint as it was made before: of what is written, with the other defaults.
    private static func earlier(_ consistency: SettingValue) throws -> Fingerprint {
        guard case .definition(let definition) = source(consistency) else { throw ServingError.stopping }
        var writer = ByteWriter()
        let settings = definition.settings
        writer.write(try Catalogue.builtin.canonical(settings, parameters: definition.parameters.map(\.definition)))
        writer.write(consistency)
        let builder = Fingerprint.Builder()
        writer.bytes.withUnsafeBytes { builder.add($0) }
        for parameter in definition.parameters {
            builder.add(parameter.definition.name.text)
            builder.add(1)
            builder.add(1)
            builder.add(1)
            builder.add("")
            builder.add("zeros")
            builder.add(0)
        }
        return builder.fingerprint
    }

    private static let long: SettingValue = [
        "mode": "sync", "workers": 2, "min_pushes": 2, "round_timeout": "60s", "on_timeout": "drop", "reduce": "mean",
    ]
    private static let short: SettingValue = [
        "mode": "sync", "workers": 2, "round_timeout": "60s", "on_timeout": "drop", "reduce": "mean",
    ]

    @Test("are the same model, also as one that an earlier release has made of either")
    func same() throws {
        let (long, short) = (Self.source(Self.long), Self.source(Self.short))
        #expect(try long.fingerprint(.builtin) == short.fingerprint(.builtin))
        #expect(try short.fingerprint(.builtin) == Self.earlier(Self.short))
        for source in [long, short] {
            let known = try source.fingerprints(.builtin)
            #expect(try known.contains(Self.earlier(Self.long)) && known.contains(Self.earlier(Self.short)))
        }
    }

    @Test("are another model than one with a smaller quorum")
    func different() throws {
        let quorum = Self.source(Self.short.setting("min_pushes", to: 1))
        let known = try quorum.fingerprints(.builtin)
        #expect(try !known.contains(Self.earlier(Self.long)) && !known.contains(Self.earlier(Self.short)))
    }
}
