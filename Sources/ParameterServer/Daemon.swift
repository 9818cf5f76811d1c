// The daemon: binds its address, builds the layers, listens, and at the end releases everything in order: waiting pulls
// first, then connections, then models.

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
    private let settings: EffectiveSettings
    private let logger: Logger

    /// Binds the address and opens the data directory, without listening yet.
    ///
    /// The address comes first: if it is in use, no directory is created.
    ///
    /// - Throws: `StartFailure`, which says which setting to change.
    init(_ settings: EffectiveSettings, _ catalogue: Catalogue, logger: Logger) throws(StartFailure) {
        self.settings = settings
        var http = settings.configuration.http
        do throws(HTTPServerError) { listener = try Listener(http.address) } catch {
            throw StartFailure(error, settings)
        }
        do throws(StartFailure) {
            (registry, recovery) = try Self.registry(settings.configuration, catalogue, logger)
        } catch {
            listener.close()
            throw error
        }
        http.openPaths = ParameterAPI.openPaths
        http.render = ParameterAPI.render
        http.lend = { [budget = registry.budget] bytes, isOwed in
            isOwed ? budget.owe(bytes) : try? budget.reserve(bytes)
        }
        let api = ParameterAPI(registry: registry, version: release, configuration: settings.told)
        server = HTTPServer(configuration: http, application: api)
        api.tell { [weak server] in server?.counters ?? HTTPCounters() }
        self.logger = logger
    }

    /// Starts to serve, and reports it.
    func start() throws(StartFailure) {
        do throws(HTTPServerError) {
            try server.start(on: listener)
        } catch {
            throw StartFailure(error, settings)
        }
        let report = StartReport(settings: settings, address: listener.address, recovery: recovery)
        if logger.logLevel <= .info { write(report.text, to: STDERR_FILENO) }
        write("listening on \(report.location)\n", to: STDOUT_FILENO)
    }

    /// Drains and closes everything; ends the process if that takes too long.
    func stopInTime() {
        Cutoff.arm(logger) { [registry] in registry.closeLog() }
        stop()
    }

    private func stop() {
        server.drain(within: .seconds(1)) { registry.stop() }
        registry.close()
        registry.letGo()
        logger.info("stopped")
    }

    /// Opens the data directory and recovers its content; with `durability` memory, touches no file.
    private static func registry(
        _ server: ServerConfiguration, _ catalogue: Catalogue, _ logger: Logger
    ) throws(StartFailure) -> (ModelRegistry, RecoverySummary) {
        var configuration = server.serving
        configuration.withoutModels = Set(server.withoutModels.map { Name($0) })
        configuration.threads = HTTPConfiguration.coreCount
        configuration.mostWaiting = server.waitingPulls
        guard let mode = server.durability.mode else {
            return (ModelRegistry(configuration: configuration, catalogue: catalogue), RecoverySummary())
        }
        let storage = StorageLog(logger)
        let journal = JournalSettings(mode: mode, segmentBytes: server.segmentBytes)
        do throws(JournalError) {
            let directory = try DataDirectory(server.dataDirectory, settings: journal)
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
            throw StartFailure(error, directory: server.dataDirectory, segmentBytes: server.segmentBytes)
        }
    }
}
