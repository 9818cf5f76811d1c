// The command line. Every flag says what it does, in what unit and with which default; the same text is the help.

import ArgumentParser

/// What the command line says.
struct Options: ParsableArguments {
    @Option(help: ArgumentHelp("Listen on this address; port 0 picks a free one.", valueName: "host:port"))
    var listen = "127.0.0.1:8470"

    @Option(help: ArgumentHelp("Keep the journal, snapshots and checkpoints in this directory.", valueName: "dir"))
    var dataDir = "./paramd-data"

    @Option(
        help: ArgumentHelp(
            "The memory for models and requests: bytes, or with K, M, G or T. Default: half of this machine's, or of what "
                + "its control group or ulimit -v grants.",
            valueName: "size"))
    var memory: ByteCount?

    @Option(
        help: ArgumentHelp(
            "When a push counts as done: group (synced with what arrived meanwhile), sync (synced by itself), "
                + "interval:MS (written, synced that often), none (written).",
            valueName: "mode"))
    var durability = Durability.group

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Remember this many pushes of each worker for retries; at least 1.", valueName: "count"))
    var receiptWindow = 256

    @Option(
        help: ArgumentHelp(
            "Write models out, so that the journal can be cut short, when it has grown by this much; at least by twice "
                + "what all models weigh.",
            valueName: "size"))
    var snapshotAfter = ByteCount(bytes: 64 << 20)

    @Option(
        name: .customLong("allow-host"),
        help: "Answer requests for this host name too, or for all below *.example.org; may be repeated.")
    var allowedHosts: [String] = []

    @Option(
        name: .customLong("without-model"),
        help: ArgumentHelp(
            "Do not serve this model, whose files are kept for a start without the option; may be repeated.",
            valueName: "name"))
    var withoutModels: [String] = []

    @Option(
        name: .customLong("limit"),
        help: ArgumentHelp("Change a limit of the table above; may be repeated.", valueName: "name=value"),
        transform: LimitOption.init(parsing:))
    var limits: [LimitOption] = []

    @Option(help: "Log messages of this level and above: trace, debug, info, notice, warning, error or critical.")
    var logLevel = LogLevel.info

    @Flag(help: "Serve a non-loopback address without authentication: whoever reaches it can change every model.")
    var insecureNoAuth = false

    /// What no type of an option can tell.
    func validate() throws {
        guard receiptWindow > 0 else {
            throw ValidationError(
                "--receipt-window is at least 1, not \(receiptWindow): a push whose answer was lost is known by its receipt."
            )
        }
        guard !dataDir.isEmpty else { throw ValidationError("--data-dir names a directory, such as ./paramd-data.") }
        for host in allowedHosts where !HostName.isPattern(host) {
            throw ValidationError(
                "--allow-host is a name without port and path, such as paramd.example.org or *.example.org, not `\(host)`."
            )
        }
        try checkMemory()
    }

    private func checkMemory() throws {
        guard let memory else { return }
        let all = MachineMemory.current
        guard memory.bytes >= Self.leastMemory else {
            throw ValidationError(
                "--memory is at least 1M, not \(memory.rounded): smaller models than that need it too.")
        }
        guard memory.bytes <= all.bytes else {
            throw ValidationError(
                "--memory \(memory.rounded) is more than \(all.owner) \(ByteCount(bytes: all.bytes).rounded); write less, or leave it out for half of that."
            )
        }
    }

    private static let leastMemory = 1 << 20

    /// The memory that holds.
    var effectiveMemory: ByteCount { memory ?? MachineMemory.current.half }

    /// Bytes of one segment of the journal: only whole ones can be deleted, and two are to fit into what may pile up.
    var segmentBytes: Int { min(64 << 20, snapshotAfter.bytes / 2) }
}

/// The command and its subcommands, for `--help` and `--version`.
struct Command: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paramd",
        abstract: "A parameter server that anyone can use with curl.",
        discussion: """
            Holds named parameters and optimizer state, takes gradients by HTTP and hands the new parameters to every \
            worker that pulls or waits for them. GET / answers with commands to paste.

            LIMITS
            \(Limit.help)
            """,
        version: release,
        subcommands: [Verify.self, Recover.self, Replay.self])

    @OptionGroup var options: Options
}

/// The version of this release.
let release = "0.1.0"
