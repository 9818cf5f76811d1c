// A data directory on the simulated disk: it needs no time to sync, so that a test can afford hundreds of starts.

import Journal
import SimulatedMachine

@testable import ParameterServing

/// A data directory that is gone with the test.
struct SimulatedDirectory {
    private static let path = "/simulated"
    private let disk = SimulatedDisk()

    init() {}

    /// A directory with the files of another.
    init(copying directory: TemporaryDirectory) throws {
        for part in ["journal", "snapshots", "checkpoints"] {
            for name in directory.files(part) {
                disk.put("\(Self.path)/\(part)/\(name)", try directory.read("\(part)/\(name)"))
            }
        }
    }

    /// Recovers what is in the directory; it has many small segments and snapshots.
    func open() throws(JournalError) -> ModelRegistry {
        let data = try DataDirectory(Self.path, on: disk, settings: JournalSettings(segmentBytes: 4096))
        let configuration = ServingConfiguration(memoryLimit: 1 << 30, snapshotAllowance: 4096)
        return try ModelRegistry.open(data, configuration: configuration, catalogue: .builtin) { _ in }.0
    }

    /// The directory to look at, whoever has it open.
    var reading: DataDirectory { DataDirectory(reading: Self.path, on: disk) }

    /// What a crash at this moment would leave: the journal as it is, not closed, and nothing that tells how far it was
    /// durable.
    func crashImage() -> SimulatedDirectory {
        let copy = SimulatedDirectory()
        for path in disk.paths where !path.hasSuffix("/LOCK") && !path.hasSuffix("/SYNCED") {
            copy.disk.put(path, disk.bytes(of: path) ?? [])
        }
        return copy
    }
}
