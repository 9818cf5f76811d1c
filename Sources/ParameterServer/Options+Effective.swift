// The options as `/v1/server` tells them.

import ParameterAPI

extension Options {
    /// Every setting and limit with its value and whether the command line gave it.
    var effective: EffectiveConfiguration { EffectiveConfiguration(settings: settings, limits: effectiveLimits) }

    private var effectiveLimits: [EffectiveSetting] {
        let layers = layers
        return Limit.table.map { limit in
            let isGiven = limits.contains { $0.limit.name == limit.name }
            return EffectiveSetting(
                limit.name, limit.text(in: layers), origin: limit.isFixed ? "fixed" : origin(!isGiven),
                meaning: limit.meaning)
        }
    }

    private var settings: [EffectiveSetting] {
        [
            EffectiveSetting("listen", listen, origin: origin(listen == "127.0.0.1:8470")),
            EffectiveSetting("data-dir", absolutePath(of: dataDir), origin: origin(dataDir == "./paramd-data")),
            EffectiveSetting("memory", "\(effectiveMemory.bytes)", origin: origin(memory == nil)),
            EffectiveSetting("durability", durability.text, origin: origin(durability.text == "group")),
            EffectiveSetting("receipt-window", "\(receiptWindow)", origin: origin(receiptWindow == 256)),
            EffectiveSetting(
                "snapshot-after", "\(snapshotAfter.bytes)", origin: origin(snapshotAfter.bytes == 64 << 20)),
            EffectiveSetting(
                "allow-host", allowedHosts.joined(separator: ", "), origin: origin(allowedHosts.isEmpty)),
            EffectiveSetting(
                "without-model", withoutModels.joined(separator: ", "), origin: origin(withoutModels.isEmpty)),
            EffectiveSetting("log-level", logLevel.rawValue, origin: origin(logLevel == .info)),
            EffectiveSetting("insecure-no-auth", "\(insecureNoAuth)", origin: origin(!insecureNoAuth)),
        ]
    }

    private func origin(_ isDefault: Bool) -> String { isDefault ? "default" : "flag" }
}
