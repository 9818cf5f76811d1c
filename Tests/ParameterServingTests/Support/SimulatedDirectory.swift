// A data directory on the simulated disk: a sync takes no time, so a test can afford hundreds of starts.

import Journal
import SimulatedMachine

@testable import ParameterServing

/// A data directory that exists as long as the test refers to it.
struct SimulatedDirectory {
    private static let path = "/simulated"
    private let disk: SimulatedDisk

    init(_ disk: SimulatedDisk = SimulatedDisk()) { self.disk = disk }

    /// A directory with the files of another.
    init(copying directory: TemporaryDirectory) throws {
        self.init()
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

    /// Opens the directory for reading, even while a daemon has it open.
    var reading: DataDirectory { DataDirectory(reading: Self.path, on: disk) }

    /// The directory after the process was killed at this moment.
    func afterKill() -> SimulatedDirectory { SimulatedDirectory(disk.afterKill()) }
}
