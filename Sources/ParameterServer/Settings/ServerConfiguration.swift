// The effective values for a daemon: settings of the layers below and its own, each with its default. The settings
// sources fill it, row by row of the table; the daemon reads it.

import HTTPServing
import ParameterServing

/// The value of every setting, in the form that the code uses.
struct ServerConfiguration: Sendable {
    /// The YAML settings file; empty for none.
    var file = ""
    var http = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 8470))
    var serving = ServingConfiguration(memoryLimit: MachineMemory.current.half.bytes)
    var dataDirectory = "./paramd-data"
    var durability = Durability.group
    /// The share of the connections that requests can use to wait.
    var waitingPercent = 80
    var withoutModels: [String] = []
    var logLevel = LogLevel.info
    /// Whether an address reachable from other machines is served without authentication.
    var isOpen = false

    /// The most pulls that wait: that share of the connections that open files allow.
    var waitingPulls: Int {
        let connections = min(http.maximumConnections, HTTPServer.connectionRoom())
        return max(1, connections / 100 * waitingPercent + connections % 100 * waitingPercent / 100)
    }

    /// Bytes of one journal segment: only whole segments can be deleted, and two must fit in the journal's limit.
    var segmentBytes: Int { min(64 << 20, serving.snapshotAllowance / 2) }
}
