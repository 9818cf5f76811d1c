// The life of a daemon: parse, check, start, wait for a signal, drain, exit.

import ArgumentParser
import CArguments
import CMalloc
import Glibc
import Logging
import Optimizers
import Threading

/// Runs the daemon until a signal ends it.
///
/// Does not return.
///
/// Not async, because Swift's threads for that need /proc, which a container may not have.
///
/// - Parameters:
///   - arguments: the command line without the program's name; nil for the process's own.
///   - optimizers: optimizers in addition to the built-in ones, each served under its name.
///   - schedules: learning-rate schedules in addition to the built-in ones, each under its name.
public func run(
    arguments: [String]? = nil, optimizers: [Optimizer.Type] = [],
    schedules: [any LearningRateSchedule.Type] = []
) -> Never {
    let catalogue = Catalogue(adding: optimizers, schedules: schedules)
    let settings = parse(arguments ?? ownArguments(), catalogue)
    memory_set_up()
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    var logger = Logger(label: "paramd")
    logger.logLevel = settings.configuration.logLevel.level
    SignalWatch.ignoreOthers()
    watchInvariants(logger)
    do throws(StartFailure) {
        try serve(settings, catalogue, logger)
    } catch {
        fail(error)
    }
    Glibc.exit(0)
}

/// Logs each place at which an invariant is broken.
private func watchInvariants(_ logger: Logger) {
    Invariants.process.watch { violation in
        logger.critical(
            "an invariant of the state is broken; please report it",
            metadata: ["place": "\(violation.place)", "belief": "\(violation.belief)"])
    }
}

/// The arguments of the process.
///
/// A daemon that ignored its arguments would open the default directory and listen on the default port.
private func ownArguments() -> [String] {
    guard arguments_count() > 0, let values = arguments_values() else {
        fail(
            StartFailure(
                status: .configuration,
                message: "this system does not give a program its arguments; pass them to run(arguments:)"))
    }
    return (1..<max(1, Int(arguments_count()))).compactMap { values[$0].map { String(cString: $0) } }
}

/// The settings of the daemon.
///
/// Subcommands run here and do not return.
private func parse(_ arguments: [String], _ catalogue: Catalogue) -> EffectiveSettings {
    do {
        var command = try RootCommand.parseAsRoot(arguments)
        if let daemon = command as? RootCommand { return try EffectiveSettings(daemon.flags).checked() }
        if let command = command as? any DirectoryCommand {
            try command.run(catalogue)
        } else {
            try command.run()
        }
        Glibc.exit(0)
    } catch let failure as StartFailure {
        fail(failure)
    } catch {
        RootCommand.exit(withError: error)
    }
}

private func serve(_ settings: EffectiveSettings, _ catalogue: Catalogue, _ logger: Logger) throws(StartFailure) {
    let daemon = try Daemon(settings, catalogue, logger: logger)
    let signals = SignalWatch(logger: logger)
    try daemon.start()
    signals.wait()
    daemon.stopInTime()
}

/// Prints the reason to standard error and exits.
private func fail(_ failure: StartFailure) -> Never {
    write("paramd: \(failure.message)\n", to: STDERR_FILENO)
    Glibc.exit(failure.status.rawValue)
}

/// Writes a line immediately, unbuffered, for people and scripts.
func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written < 0, errno != EINTR { return }
        bytes = bytes.dropFirst(max(0, written))
    }
}
