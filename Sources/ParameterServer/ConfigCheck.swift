// Checks a settings file before a daemon is started with it.

import ArgumentParser

/// `paramd config`.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check settings files.", subcommands: [ConfigCheck.self])
}

/// `paramd config check FILE`.
struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Report the line and key of each mistake in a settings file, or print the resulting settings.",
        discussion: """
            Reads the same sources as a start with --config FILE, including the environment. Exits with 0 if such a start \
            would accept its settings, with 78 if it would refuse them. Starts and changes nothing.
            """)

    @Argument(help: "The settings file.")
    var file: String

    @ParentCommand var daemon: RootCommand

    func run() throws {
        var flags = daemon.flags
        flags.given[["config"]] = [file]
        let settings = try EffectiveSettings(flags).checked()
        for setting in Setting.all {
            let name = setting.path.joined(separator: ".")
            print("\(name)=\(settings.text(of: setting))  \(settings.origin(of: setting))")
        }
    }
}
