// What a row uses while it is measured: servers, folders and files, which end with it; and the turns.

import Foundation
import Threading

/// The place where one row is measured.
final class Workbench: Sendable {
    let settings: MeasureSettings
    /// What ends with the row; nil once it has been ended.
    private let kept = Locked<Kept?>(Kept())

    private struct Kept {
        var servers: [ServerProcess] = []
        var folders: [String] = []
    }

    init(_ settings: MeasureSettings) { self.settings = settings }

    /// A server that ends with the row.
    func serve(_ start: () throws -> ServerProcess) throws -> ServerProcess {
        let server = try start()
        guard kept.withLock({ $0?.servers.append(server) }) != nil else {
            server.stop()
            throw BenchmarkError("The benchmark was stopped.")
        }
        return server
    }

    /// A paramd on a new folder, with this model.
    func paramd(durability: String, model: Model) throws -> ServerProcess {
        let folder = try makeFolder()
        let server = try serve { try .paramd(settings, durability: durability, folder: folder) }
        let connection = try Connection(port: server.port)
        try connection.expect(
            201, of: .send("PUT", "/v1/models/m", Array(model.definition.utf8), kind: "application/json"))
        return server
    }

    /// A folder that is removed with the row.
    func makeFolder() throws -> String {
        let folder = "\(settings.place)/paramd-benchmark-\(UUID().uuidString)"
        guard kept.withLock({ $0?.folders.append(folder) }) != nil else {
            throw BenchmarkError("The benchmark was stopped.")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        return folder
    }

    /// A file whose blocks exist: every byte was written and synced.
    func makeFile(bytes: Int) throws -> String {
        let path = try makeFolder() + "/written-before"
        try DiskLimit.fill(path, bytes: bytes)
        return path
    }

    /// Measures the limit and paramd in turns, after one turn of each that does not count.
    func alternate(limit: () throws -> Double, paramd: () throws -> Double) throws -> Figures {
        var turns: [(limit: Double, paramd: Double)] = []
        for turn in 0...settings.rounds {
            let pair = (try limit(), try paramd())
            if turn > 0 { turns.append(pair) }
        }
        return Figures(turns)
    }

    /// Ends the servers and removes the folders.
    ///
    /// - Returns: false if that was done before.
    func close() -> Bool {
        let last = kept.withLock { kept in
            defer { kept = nil }
            return kept
        }
        guard let last else { return false }
        for server in last.servers { server.stop() }
        for folder in last.folders { try? FileManager.default.removeItem(atPath: folder) }
        return true
    }
}

/// The figures of a row.
struct Figures {
    let limit: Double
    let paramd: Double
    /// The median of the turns' ratios of paramd to the limit.
    let ratio: Double

    init(_ turns: [(limit: Double, paramd: Double)]) {
        limit = Self.median(turns.map(\.limit))
        paramd = Self.median(turns.map(\.paramd))
        ratio = Self.median(turns.map { $0.paramd / $0.limit })
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
