// The report for the person who starts the daemon, in one block on standard error: the address, the data, the promise
// of a push's answer, the memory, and who may connect. Written once, before the listening line.

import HTTPServing
import ParameterServing

/// The block at the end of a start.
struct StartReport {
    let settings: EffectiveSettings
    /// The address with the port that was picked.
    let address: ListenAddress
    let recovery: RecoverySummary

    private var configuration: ServerConfiguration { settings.configuration }

    /// The daemon's address in the form that a client uses.
    var location: String {
        switch address {
        case .unix(let path): "unix:\(absolutePath(of: path))"
        case .tcp(_, let port): "http://\(address.urlHost):\(port)"
        case .inherited: "http://\(address.urlHost)"
        }
    }

    /// The block, one line each.
    var text: String {
        """
        paramd \(release) listens on \(location)\(hint)\(shortage)
          data        \(data)
          durability  \(configuration.durability.text): \(configuration.durability.meaning)
          memory      \(memory)
          open to     \(audience)

        """
    }

    private var hint: String {
        guard case .unix(let path) = address else { return "" }
        return " (curl --unix-socket \(absolutePath(of: path)) http://localhost/)"
    }

    /// An extra line if the system allows fewer connections than the limit.
    private var shortage: String {
        let room = HTTPServer.connectionRoom()
        guard room < configuration.http.maximumConnections else { return "" }
        return "\n  connections \(room) at a time, as many as open files allow; ulimit -n raises that"
    }

    private var data: String {
        guard configuration.durability.mode != nil else { return "in memory; no file is read or written" }
        return "\(absolutePath(of: configuration.dataDirectory)): \(content)"
    }

    private var content: String {
        let models = recovery.models == 1 ? "1 model" : "\(recovery.models) models"
        let work = "\(recovery.snapshots) snapshots and \(recovery.records) records"
        let rest = recovery.unavailable.isEmpty ? "" : " served and \(recovery.unavailable.count) not, see above"
        return "\(models)\(rest), read in \(Int(recovery.duration / .milliseconds(1))) ms from \(work)"
    }

    private var memory: String {
        let bytes = ByteCount(bytes: configuration.serving.memoryLimit).rounded
        guard settings.origin("memory") == .builtIn else { return "\(bytes) for models and requests" }
        return "\(bytes) for models and requests, half of \(MachineMemory.current.owner) memory; --memory changes it"
    }

    private var audience: String {
        if case .unix = address { return "programs of this user; chmod the socket to allow others" }
        let hosts = ["localhost", "127.0.0.1", "[::1]"] + configuration.http.allowedHosts
        let known = "as \(hosts.joined(separator: ", "))"
        guard !address.isLoopback else { return "programs on this machine, \(known); --allow-host adds names" }
        return "everyone who reaches it, without authentication, \(known) or any address; --allow-host adds names"
    }
}
