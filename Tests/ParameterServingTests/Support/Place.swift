// The place where a test's registry keeps its models: memory, or a directory under /tmp that is removed after the test.

import Glibc
import Journal
import Optimizers

@testable import ParameterServing

/// Both kinds of registry, to run the same test on each.
enum Place: CaseIterable, Sendable {
    case memory, disk

    func withRegistry(
        memoryLimit: Int = 1 << 30, _ body: (ModelRegistry) throws -> Void
    ) throws {
        switch self {
        case .memory:
            let configuration = ServingConfiguration(memoryLimit: memoryLimit)
            let registry = ModelRegistry(configuration: configuration, catalogue: .builtin)
            defer { registry.shutDown() }
            try body(registry)
        case .disk:
            let directory = try TemporaryDirectory()
            let registry = try directory.open(memoryLimit: memoryLimit)
            defer { registry.shutDown() }
            try body(registry)
        }
    }
}

extension ModelRegistry {
    /// Waits until the snapshot keeper is idle.
    ///
    /// A test that counts snapshots calls it after each push: on a busy machine the keeper's thread would otherwise
    /// fall behind, and the expected snapshot would be missing or would be two.
    func waitForKeeper() { keeper?.waitUntilIdle() }
}

/// A data directory under /tmp, removed at the end of the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/serving-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw ServingError.storageFailed(reason: "mkdtemp: \(errno)") }
        path = String(cString: made)
    }

    deinit { Self.remove(path) }

    /// Recovers what is in the directory.
    func open(
        memoryLimit: Int = 1 << 30, segmentBytes: Int = 64 << 10, snapshotAllowance: Int = 64 << 20,
        receiptWindow: Int = 256
    ) throws(JournalError) -> ModelRegistry {
        try recover(
            memoryLimit: memoryLimit, segmentBytes: segmentBytes, snapshotAllowance: snapshotAllowance,
            receiptWindow: receiptWindow
        ).registry
    }

    /// As `open`, but also returns the findings of recovery.
    func recover(
        memoryLimit: Int = 1 << 30, segmentBytes: Int = 64 << 10, snapshotAllowance: Int = 64 << 20,
        receiptWindow: Int = 256
    ) throws(JournalError) -> (registry: ModelRegistry, summary: RecoverySummary) {
        let configuration = ServingConfiguration(
            memoryLimit: memoryLimit, receiptWindow: receiptWindow, snapshotAllowance: snapshotAllowance)
        let (registry, summary) = try ModelRegistry.open(
            data(segmentBytes: segmentBytes), configuration: configuration, catalogue: .builtin
        ) { _ in }
        return (registry, summary)
    }

    func data(segmentBytes: Int = 64 << 10) throws(JournalError) -> DataDirectory {
        try DataDirectory(path, settings: JournalSettings(segmentBytes: segmentBytes))
    }

    /// Opens the directory for reading, even while a daemon has it open.
    var reading: DataDirectory { DataDirectory(reading: path) }

    /// The files of one part of the directory that hold records or states, in order.
    func files(_ part: String) -> [String] {
        Self.entries("\(path)/\(part)").filter { $0 != "LOCK" && $0 != "SYNCED" }.sorted()
    }

    /// A copy of the directory as a crash at this moment would leave it: the journal as it is, not closed, and without
    /// the file that says how far it was durable; also without files that every start removes, such as the snapshot
    /// that the keeper is writing.
    func crashImage() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for part in ["journal", "snapshots", "checkpoints"] {
            mkdir("\(copy.path)/\(part)", 0o700)
            for name in files(part) where !name.hasSuffix(".tmp") {
                try copy.write(try read("\(part)/\(name)"), to: "\(part)/\(name)")
            }
        }
        return copy
    }

    func read(_ name: String) throws -> [UInt8] {
        let file = Glibc.open("\(path)/\(name)", O_RDONLY)
        guard file >= 0 else { throw ServingError.storageFailed(reason: "\(name): \(errno)") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Int(lseek(file, 0, SEEK_END)))
        guard pread(file, &bytes, bytes.count, 0) == bytes.count else {
            throw ServingError.storageFailed(reason: "\(name): short read")
        }
        return bytes
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = Glibc.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw ServingError.storageFailed(reason: "\(name): \(errno)")
        }
        close(file)
    }

    func remove(_ name: String) throws {
        guard unlink("\(path)/\(name)") == 0 else { throw ServingError.storageFailed(reason: "\(name): \(errno)") }
    }

    private static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func remove(_ path: String) {
        for name in entries(path) where Glibc.remove("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
