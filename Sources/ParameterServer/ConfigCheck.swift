// A file of settings, looked at before a daemon is started with it.

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
            Reads what a start with --config FILE would read, the environment too. Exits with 0 when such a start would \
            not be refused for its settings, and with 78 when it would. Starts and changes nothing.
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
