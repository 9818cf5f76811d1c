// The command and its subcommands.

import ArgumentParser

/// The daemon's command, for `--help` and `--version`.
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paramd",
        abstract: "A parameter server that anyone can use with curl.",
        discussion: """
            Stores named parameters and optimizer state, applies gradients sent over HTTP, and returns the new \
            parameters to every worker that pulls or waits for them. GET / returns commands to paste.

            SETTINGS
            Each is an option, a variable (PARAMD_DATA_DIR, PARAMD_LIMITS_MODELS) or a line in the YAML file named by \
            --config (data-dir: /var/lib/paramd, limits: {models: 10}); the first of these that has it wins. Separate the \
            values of a list in a variable with commas. paramd config check FILE reports mistakes or the resulting settings.

            LIMITS
            \(Setting.helpOnLimits)
            """,
        version: release,
        subcommands: [Verify.self, Recover.self, Replay.self, Config.self])

    @OptionGroup var flags: Flags
}

/// The version of this release.
let release = "0.1.0"
