// All settings in one table. Flags, variables, the file, the help and `/v1/server` use it; a test compares it with
// `api/settings.md`. The defaults are in `ServerConfiguration`, where the numbers are used.

import HTTPServing

extension Setting {
    /// All settings that are not limits.
    static let settings: [Setting] = [
        Setting(
            "config", .file, unit: "file", "Read settings from this YAML file; flags and PARAMD_* variables come first."
        ),
        Setting("listen", .address, unit: "host:port", "Listen on this address; port 0 picks a free one."),
        Setting(
            "data-dir", .directory(\.dataDirectory), unit: "dir",
            "Keep the journal, snapshots and checkpoints in this directory."),
        Setting(
            "memory", .memory, unit: "size",
            initially: "half of this machine's, or of what its control group or ulimit -v grants",
            "Memory for models and requests: bytes, or with K, M, G or T."),
        Setting(
            "durability", .durability, unit: "mode",
            "When a push is answered: group (after a sync shared with others), sync (after a sync of its own), "
                + "interval:MS (after the write, with a sync that often), none (after the write), memory (nothing is written)."
        ),
        Setting(
            "receipt-window", .count(\.serving.receiptWindow), unit: "count",
            "Keep the receipts of this many pushes per worker for retries; at least 1."),
        Setting(
            "snapshot-after", .bytes(\.serving.snapshotAllowance), unit: "size",
            "Write snapshots when the journal has grown by this much, so that it can be cut; by two to eight times "
                + "the size of all models where that is more."),
        Setting(
            "allow-host",
            .list(
                \.http.allowedHosts,
                "must be a host name without port and path, such as paramd.example.org or *.example.org",
                HostName.isPattern),
            unit: "name",
            "Also answer requests for this host name, or for all names below *.example.org; may be repeated."),
        Setting(
            "without-model", .list(\.withoutModels, "must be the name of a model") { !$0.isEmpty }, unit: "name",
            "Do not serve this model, but keep its files; may be repeated."),
        Setting(
            "log-level", .logLevel, unit: "level",
            "Log messages of this level and above: trace, debug, info, notice, warning, error or critical."),
        Setting(
            "insecure-no-auth", .yes(\.isOpen),
            "Serve a non-loopback address without authentication: everyone who reaches it can change every model."),
    ]

    /// Settings, then limits.
    static let all = settings + limits
}
