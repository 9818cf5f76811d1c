// The command and its subcommands.

import ArgumentParser

/// The daemon's command, for `--help` and `--version`.
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paramd",
        abstract: "A parameter server that anyone can use with curl.",
        discussion: """
            Holds named parameters and optimizer state, takes gradients by HTTP and hands the new parameters to every \
            worker that pulls or waits for them. GET / answers with commands to paste.

            SETTINGS
            Each is an option, a variable (PARAMD_DATA_DIR, PARAMD_LIMITS_MODELS) or a line of the YAML file that --config \
            names (data-dir: /var/lib/paramd, limits: {models: 10}); the first that has it holds. A variable has commas \
            between the values of a list. paramd config check FILE tells the mistakes of a file, or what would hold.

            LIMITS
            \(Setting.helpOnLimits)
            """,
        version: release,
        subcommands: [Verify.self, Recover.self, Replay.self, Config.self])

    @OptionGroup var flags: Flags
}

/// The version of this release.
let release = "0.1.0"
