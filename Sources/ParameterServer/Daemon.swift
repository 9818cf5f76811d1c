// The daemon: it takes its address, puts the layers together, listens, and at the end lets go in the right order: waiting
// pulls first, then connections, then models.

import Glibc
import HTTPServing
import Journal
import Logging
import Names
import Optimizers
import ParameterAPI
import ParameterServing

/// A configured daemon.
struct Daemon {
    private let server: HTTPServer
    private let registry: ModelRegistry
    private let listener: Listener
    private let recovery: RecoverySummary
    private let options: Options
    private let logger: Logger

    /// Checks the options, takes the address and opens the data directory; nothing listens yet.
    ///
    /// The address comes first: where it is taken, no directory is made.
    ///
    /// - Throws: `StartFailure` that says which option to change.
    init(_ options: Options, _ catalogue: Catalogue, logger: Logger) throws(StartFailure) {
        let address = try Self.address(options)
        listener = try Self.listener(address, options)
        do throws(StartFailure) {
            (registry, recovery) = try Self.registry(options, catalogue, logger)
        } catch {
            listener.close()
            throw error
        }
        self.options = options
        var configuration = options.layers.http
        configuration.address = address
        configuration.allowedHosts = options.allowedHosts
        configuration.openPaths = ParameterAPI.openPaths
        configuration.render = ParameterAPI.render
        configuration.lend = { [budget = registry.budget] bytes, isOwed in
            isOwed ? budget.owe(bytes) : try? budget.reserve(bytes)
        }
        server = HTTPServer(
            configuration: configuration,
            application: ParameterAPI(registry: registry, version: release, configuration: options.effective))
        self.logger = logger
    }

    /// Starts to serve, and tells so.
    func start() throws(StartFailure) {
        do throws(HTTPServerError) {
            try server.start(on: listener)
        } catch {
            throw StartFailure(error, address: options.listen)
        }
        let report = StartReport(options: options, address: listener.address, recovery: recovery)
        if logger.logLevel <= .info { write(report.text, to: STDERR_FILENO) }
        write("listening on \(report.location)\n", to: STDOUT_FILENO)
    }

    /// Drains and closes everything, and ends the process if that takes too long.
    func stopInTime() {
        Cutoff.arm(logger) { [registry] in registry.closeLog() }
        stop()
    }

    private func stop() {
        server.drain(within: .seconds(1)) { registry.stop() }
        registry.close()
        logger.info("stopped")
    }

    private static func listener(_ address: ListenAddress, _ options: Options) throws(StartFailure) -> Listener {
        do throws(HTTPServerError) { return try Listener(address) } catch {
            throw StartFailure(error, address: options.listen)
        }
    }

    /// Opens the data directory and brings back what is in it.
    private static func registry(
        _ options: Options, _ catalogue: Catalogue, _ logger: Logger
    ) throws(StartFailure) -> (ModelRegistry, RecoverySummary) {
        var configuration = options.layers.serving
        configuration.memoryLimit = options.effectiveMemory.bytes
        configuration.receiptWindow = options.receiptWindow
        configuration.withoutModels = Set(options.withoutModels.map { Name($0) })
        configuration.threads = HTTPConfiguration.coreCount
        configuration.snapshotAllowance = options.snapshotAfter.bytes
        let settings = JournalSettings(mode: options.durability.mode, segmentBytes: options.segmentBytes)
        let storage = StorageLog(logger)
        do throws(JournalError) {
            let directory = try DataDirectory(options.dataDir, settings: settings)
            let (registry, summary) = try ModelRegistry.open(
                directory, configuration: configuration, catalogue: catalogue
            ) { event in storage.log(event) }
            storage.log(summary)
            storage.warn(
                of: configuration.withoutModels.filter { name in
                    !summary.unavailable.contains { Name($0.name) == name }
                })
            return (registry, summary)
        } catch {
            throw StartFailure(error, directory: options.dataDir, segmentBytes: options.segmentBytes)
        }
    }

    private static func address(_ options: Options) throws(StartFailure) -> ListenAddress {
        guard let address = ListenAddress(options.listen) else {
            throw StartFailure(
                status: .configuration, message: "--listen \(options.listen): \(mistake(inAddress: options.listen))")
        }
        guard address.isLoopback || options.insecureNoAuth else {
            throw StartFailure(
                status: .configuration,
                message: """
                    --listen \(options.listen) can be reached from other machines, and there is no authentication: \
                    listen on 127.0.0.1, or add --insecure-no-auth if everyone who reaches it may change every model
                    """)
        }
        return address
    }

    /// What is wrong with an address that is none, and what to write.
    private static func mistake(inAddress text: String) -> String {
        let form = "write HOST:PORT, such as 127.0.0.1:8470 or [::1]:0"
        guard let colon = text.lastIndex(of: ":") else { return form }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard !host.isEmpty, !port.isEmpty, !host.contains(":") || host.hasPrefix("[") else { return form }
        guard Int(digits: port).flatMap(UInt16.init(exactly:)) != nil else {
            return "\(port) is not a port: write a number from 0, which picks one, to 65535"
        }
        return "\(host) is not an IP address: write one of this machine, such as 127.0.0.1; names are not looked up"
    }
}
