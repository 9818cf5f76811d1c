// All settings in one table. It feeds flags, variables, the file, the help and `/v1/server`; a test holds the README
// against it. Defaults are in `ServerConfiguration`, where the number is used, not here.

import HTTPServing

extension Setting {
    /// Every setting that is not a limit.
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
            "The memory for models and requests: bytes, or with K, M, G or T."),
        Setting(
            "durability", .durability, unit: "mode",
            "When a push counts as done: group (synced with what arrived meanwhile), sync (synced by itself), "
                + "interval:MS (written, synced that often), none (written)."),
        Setting(
            "receipt-window", .count(\.serving.receiptWindow), unit: "count",
            "Remember this many pushes of each worker for retries; at least 1."),
        Setting(
            "snapshot-after", .bytes(\.serving.snapshotAllowance), unit: "size",
            "Write models out, so that the journal can be cut short, when it has grown by this much; at least by twice "
                + "what all models weigh."),
        Setting(
            "allow-host",
            .list(
                \.http.allowedHosts, "takes a name without port and path, such as paramd.example.org or *.example.org",
                HostName.isPattern),
            unit: "name",
            "Answer requests for this host name too, or for all below *.example.org; may be repeated."),
        Setting(
            "without-model", .list(\.withoutModels, "takes the name of a model") { !$0.isEmpty }, unit: "name",
            "Do not serve this model, whose files are kept for a start without the option; may be repeated."),
        Setting(
            "log-level", .logLevel, unit: "level",
            "Log messages of this level and above: trace, debug, info, notice, warning, error or critical."),
        Setting(
            "insecure-no-auth", .yes(\.isOpen),
            "Serve a non-loopback address without authentication: whoever reaches it can change every model."),
    ]

    /// Settings, then limits.
    static let all = settings + limits
}
