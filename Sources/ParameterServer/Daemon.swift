// The daemon as a service: it puts the layers together, listens, and on a graceful shutdown lets go in the right order:
// waiting pulls first, then connections, then models.

import Glibc
import HTTPServing
import Journal
import Logging
import Optimizers
import ParameterAPI
import ParameterServing
import ServiceLifecycle

/// A configured daemon.
struct Daemon: Service {
    private let server: HTTPServer
    private let registry: ModelRegistry
    private let host: String
    private let address: String
    private let logger: Logger

    /// Checks the options and puts the layers together; nothing listens yet.
    ///
    /// - Throws: `StartFailure` that says which option to change.
    init(_ options: Options, optimizers: [Optimizer.Type], logger: Logger) throws {
        let address = try Self.address(options)
        host = address.urlHost
        self.address = options.listen
        registry = try Self.registry(options, Catalogue(adding: optimizers), logger)
        var configuration = options.layers.http
        configuration.address = address
        configuration.allowedHosts = options.allowedHosts
        configuration.openPaths = ParameterAPI.openPaths
        configuration.render = ParameterAPI.render
        let (connections, room) = (configuration.maximumConnections, HTTPServer.connectionRoom())
        if room < connections {
            logger.warning("too few open files for all connections; raise ulimit -n", metadata: ["limit": "\(room)"])
        }
        server = HTTPServer(
            configuration: configuration,
            application: ParameterAPI(registry: registry, version: release, configuration: options.effective))
        self.logger = logger
    }

    /// Serves until a graceful shutdown, then drains.
    func run() async throws {
        let port: Int
        do throws(HTTPServerError) {
            port = try server.start()
        } catch {
            throw StartFailure(error, address: address)
        }
        let bound = "\(host):\(port)"
        write("listening on http://\(bound)\n", to: STDOUT_FILENO)
        logger.info("started", metadata: ["address": "\(bound)", "version": "\(release)"])
        try? await gracefulShutdown()
        server.drain(within: .seconds(1)) { registry.stop() }
        registry.close()
        logger.info("stopped")
    }

    /// Opens the data directory and brings back what is in it.
    private static func registry(_ options: Options, _ catalogue: Catalogue, _ logger: Logger) throws -> ModelRegistry {
        let memory = options.memory ?? .halfOfMachine
        var configuration = options.layers.serving
        configuration.memoryLimit = memory.bytes
        configuration.receiptWindow = options.receiptWindow
        configuration.threads = HTTPConfiguration.coreCount
        configuration.snapshotAllowance = options.snapshotAfter.bytes
        // Only whole segments can be deleted: two of them are to fit into what may pile up.
        let settings = JournalSettings(
            mode: options.durability.mode, segmentBytes: min(64 << 20, options.snapshotAfter.bytes / 2))
        do throws(JournalError) {
            let directory = try DataDirectory(options.dataDir, settings: settings)
            let (registry, summary) = try ModelRegistry.open(
                directory, configuration: configuration, catalogue: catalogue
            ) { event in logger.log(event) }
            logger.log(summary)
            return registry
        } catch {
            throw StartFailure(error, directory: options.dataDir)
        }
    }

    private static func address(_ options: Options) throws -> ListenAddress {
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
        guard UInt16(port) != nil else { return "\(port) is no port: write a number from 0, which picks one, to 65535" }
        return "\(host) is no IP address: write one of this machine, such as 127.0.0.1; names are not looked up"
    }
}
