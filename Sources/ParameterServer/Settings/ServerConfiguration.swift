// What holds for a daemon: the settings of the layers below and its own, each with its default beside it. Made by the
// sources of settings, row by row of the table; read by the daemon.

import HTTPServing
import ParameterServing

/// Every setting of a daemon as the code uses it.
struct ServerConfiguration: Sendable {
    /// The YAML file of settings; empty for none.
    var file = ""
    var http = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 8470))
    var serving = ServingConfiguration(memoryLimit: MachineMemory.current.half.bytes)
    var dataDirectory = "./paramd-data"
    var durability = Durability.group
    var withoutModels: [String] = []
    var logLevel = LogLevel.info
    /// Whether an address that others can reach is served without authentication.
    var isOpen = false

    /// Bytes of one segment of the journal: only whole ones can be deleted, and two are to fit into what may pile up.
    var segmentBytes: Int { min(64 << 20, serving.snapshotAllowance / 2) }
}
