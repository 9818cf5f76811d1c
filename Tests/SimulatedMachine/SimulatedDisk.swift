// A disk that can fail at the n-th call and lose power: unsynced data may then be present, missing or torn at any
// sector, and names may have become durable in any order. Harsher than real file systems, never kinder.

import Glibc
import Journal
import Threading

/// The fault, and the call at which it happens.
///
/// Calls are counted from 1.
package enum Fault: Equatable, Sendable {
    /// The call fails with that errno and does nothing; later ones work.
    case error(Int32)
    /// A write does half of its work, then fails with that errno; other calls fail without doing anything.
    case half(Int32)
    /// A write or read does half of its work and reports so.
    case short
    /// The power fails: no call works from here on.
    case powerCut
}

package final class SimulatedDisk: FileSystem, @unchecked Sendable {
    fileprivate enum Change {
        case write(offset: Int, bytes: [UInt8])
        case size(Int)
    }

    fileprivate final class File {
        var durable: [UInt8] = []
        var content: [UInt8] = []
        var pending: [Change] = []

        init() {}

        init(copying other: File) {
            durable = other.durable
            content = other.content
            pending = other.pending
        }
    }

    fileprivate struct State {
        var names: [String: File] = [:]
        var durableNames: [String: File] = [:]
        /// Each entry is one atomic change of names; `nil` removes the name.
        var pendingNames: [[(name: String, file: File?)]] = []
        var open: [Int32: (file: File, name: String, isDirect: Bool)] = [:]
        var nextDescriptor: Int32 = 3
        var calls = 0
        var faults: [Int: Fault] = [:]
        var hasPower = true
        var capacity = Int.max
        var log: [String] = []
        var watcher: (@Sendable (String) -> Void)?
    }

    package static let sector = 512
    fileprivate let state = Locked(State())

    package init() {}

    // MARK: - Control by tests

    package var calls: Int { state.withLock { $0.calls } }

    /// The calls so far, by name.
    package var log: [String] { state.withLock { $0.log } }

    /// Calls `watch` before each call, with the name of the call; `watch` may block.
    package func watch(_ watch: @escaping @Sendable (String) -> Void) {
        state.withLock { $0.watcher = watch }
    }

    /// Cuts the power: no call works from here on.
    package func cutPower() { state.withLock { $0.hasPower = false } }

    package var hasPower: Bool { state.withLock { $0.hasPower } }

    package func plan(_ fault: Fault, at call: Int) {
        state.withLock { $0.faults[call] = fault }
    }

    /// The bytes that all files together may have.
    package func limit(to capacity: Int) {
        state.withLock { $0.capacity = capacity }
    }

    /// Makes the disk after a power cut: a new disk with what this one could have kept.
    package func afterPowerCut(seed: UInt64) -> SimulatedDisk {
        var random = SeededGenerator(seed: seed)
        let result = SimulatedDisk()
        let names = state.withLock { state -> [String: File] in
            var names = state.durableNames
            let keep = Double.random(in: 0...1, using: &random)
            for change in state.pendingNames where Double.random(in: 0..<1, using: &random) < keep {
                for (name, file) in change { names[name] = file }
            }
            return names
        }
        for (name, file) in names.sorted(by: { $0.key < $1.key }) {
            result.put(name, SimulatedDisk.survivors(of: file, &random))
        }
        return result
    }

    /// The disk after the process was killed: everything written is present, and unsynced data is still unsynced.
    package func afterKill() -> SimulatedDisk {
        let result = SimulatedDisk()
        state.withLock { state in
            var copies: [ObjectIdentifier: File] = [:]
            let copy = { (file: File) -> File in
                if let known = copies[ObjectIdentifier(file)] { return known }
                let new = File(copying: file)
                copies[ObjectIdentifier(file)] = new
                return new
            }
            let names = state.names.mapValues(copy)
            let durable = state.durableNames.mapValues(copy)
            let pending = state.pendingNames.map { $0.map { ($0.name, $0.file.map(copy)) } }
            result.state.withLock { new in
                new.names = names
                new.durableNames = durable
                new.pendingNames = pending
            }
        }
        return result
    }

    /// Places a durable file.
    package func put(_ path: String, _ bytes: [UInt8]) {
        let file = File()
        file.durable = bytes
        file.content = bytes
        state.withLock { state in
            state.names[path] = file
            state.durableNames[path] = file
        }
    }

    /// Flips a bit on disk and in memory, without an error anywhere.
    package func damage(_ path: String, at offset: Int) {
        state.withLock { state in
            guard let file = state.names[path], offset < file.content.count else { return }
            file.settle()
            file.durable[offset] ^= 1
            file.content[offset] ^= 1
        }
    }

    package func bytes(of path: String) -> [UInt8]? {
        state.withLock { $0.names[path]?.content }
    }

    package var paths: [String] { state.withLock { $0.names.keys.sorted() } }

    private static func survivors(of file: File, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = file.durable
        let keep = [0, 1, Double.random(in: 0...1, using: &random)].randomElement(using: &random) ?? 1
        for change in file.pending {
            switch change {
            case .size(let size):
                if Double.random(in: 0..<1, using: &random) < keep { bytes.resize(to: size) }
            case .write(let offset, let new):
                var start = 0
                while start < new.count {
                    let toBorder = sector - (offset + start) % sector
                    let end = min(new.count, start + toBorder)
                    if Double.random(in: 0..<1, using: &random) < keep {
                        bytes.overwrite(at: offset + start, with: new[start..<end])
                    }
                    start = end
                }
            }
        }
        return bytes
    }

    // MARK: - FileSystem

    package func createDirectory(_ path: String) throws(SystemError) {
        _ = try call("mkdir") { _, _ in }
    }

    package func lock(_ path: String) throws(SystemError) -> Int32? {
        try call("flock") { state, _ in
            if state.open.values.contains(where: { $0.name == path }) { return nil }
            return SimulatedDisk.open(path, create: true, &state)
        }
    }

    package func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> Int32 {
        let descriptor = try call("open") { state, _ -> Int32? in
            if mode == .create { state.replace(path, with: File()) }
            return SimulatedDisk.open(path, create: false, isDirect: mode == .direct, &state)
        }
        guard let descriptor else { throw SystemError("open", ENOENT) }
        return descriptor
    }

    package func close(_ file: Int32) {
        state.withLock { $0.open[file] = nil }
    }

    package func write(
        _ buffers: UnsafeBufferPointer<iovec>, to descriptor: Int32, at offset: Int
    ) throws(SystemError) -> Int {
        var bytes: [UInt8] = []
        for buffer in buffers {
            bytes.resize(to: bytes.count + buffer.iov_len)
            bytes.withUnsafeMutableBytes { target in
                if let end = target.baseAddress.map({ $0 + target.count - buffer.iov_len }), let base = buffer.iov_base
                {
                    memcpy(end, base, buffer.iov_len)
                }
            }
        }
        let all = bytes
        let isPages =
            offset % 4096 == 0
            && buffers.allSatisfy {
                $0.iov_len % 4096 == 0 && Int(bitPattern: $0.iov_base) % 4096 == 0
            }
        return try call("pwritev") { state, fault -> Result<Int, SystemError> in
            guard let file = state.open[descriptor]?.file else { return .failure(SystemError("pwritev", EBADF)) }
            if state.open[descriptor]?.isDirect == true, !isPages { return .failure(SystemError("pwritev", EINVAL)) }
            let growth = max(0, offset + all.count - file.content.count)
            let room = max(0, state.capacity - state.used)
            var part = all[...]
            if fault != nil { part = part.prefix(max(1, part.count / 2)) }
            if growth > room { part = part.prefix(max(0, all.count - growth + room)) }
            if part.isEmpty { return .failure(SystemError("pwritev", ENOSPC)) }
            file.content.overwrite(at: offset, with: part)
            file.pending.append(.write(offset: offset, bytes: Array(part)))
            if case .half(let code)? = fault { return .failure(SystemError("pwritev", code)) }
            return .success(part.count)
        }.get()
    }

    package func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        nonisolated(unsafe) let buffer = buffer
        return try call("pread") { state, fault in
            guard let content = state.open[descriptor]?.file.content, offset < content.count else { return 0 }
            let wanted = fault == .short ? max(1, buffer.count / 2) : buffer.count
            let count = min(content.count - offset, wanted)
            content.withUnsafeBytes { bytes in
                if let to = buffer.baseAddress, let from = bytes.baseAddress { memcpy(to, from + offset, count) }
            }
            return count
        }
    }

    package func synchronize(_ descriptor: Int32) throws(SystemError) {
        do throws(SystemError) {
            try call("fdatasync") { state, _ in state.open[descriptor]?.file.settle() }
        } catch {
            // As on Linux: the pages are clean now although they never reached the disk, and the next sync succeeds.
            state.withLock { if $0.hasPower { $0.open[descriptor]?.file.pending = [] } }
            throw error
        }
    }

    package func openDirectory(_ path: String) throws(SystemError) -> Int32 {
        try call("open") { state, _ in
            state.nextDescriptor += 1
            return state.nextDescriptor
        }
    }

    package func synchronizeNames(_ directory: Int32) throws(SystemError) {
        try call("fsync") { state, _ in
            state.durableNames = state.names
            state.pendingNames = []
        }
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        let found = try call("rename") { state, _ -> Bool in
            guard let file = state.names[from] else { return false }
            state.names[from] = nil
            state.names[to] = file
            state.pendingNames.append([(to, file), (from, nil)])
            return true
        }
        if !found { throw SystemError("rename", ENOENT) }
    }

    package func remove(_ path: String) throws(SystemError) {
        let found = try call("unlink") { state, _ -> Bool in
            guard state.names[path] != nil else { return false }
            state.replace(path, with: nil)
            return true
        }
        if !found { throw SystemError("unlink", ENOENT) }
    }

    package func allocate(_ descriptor: Int32, size: Int) throws(SystemError) {
        try call("fallocate") { state, _ -> Result<Void, SystemError> in
            guard let file = state.open[descriptor]?.file, file.content.count < size else { return .success(()) }
            guard state.used + size - file.content.count <= state.capacity else {
                return .failure(SystemError("fallocate", ENOSPC))
            }
            file.content.resize(to: size)
            file.pending.append(.size(size))
            return .success(())
        }.get()
    }

    package func truncate(_ descriptor: Int32, size: Int) throws(SystemError) {
        try call("ftruncate") { state, _ in
            guard let file = state.open[descriptor]?.file else { return }
            file.content.resize(to: size)
            file.pending.append(.size(size))
        }
    }

    package func size(_ descriptor: Int32) throws(SystemError) -> Int {
        try call("fstat") { state, _ in state.open[descriptor]?.file.content.count ?? 0 }
    }

    package func links(_ descriptor: Int32) throws(SystemError) -> Int {
        try call("fstat") { state, _ in
            guard let file = state.open[descriptor]?.file else { return 0 }
            return state.names.values.count { $0 === file }
        }
    }

    package func isNamed(_ descriptor: Int32, _ path: String) -> Bool? {
        try? call("stat") { state, _ in state.open[descriptor]?.file === state.names[path] }
    }

    package func changeTime(_ directory: String) -> Int64? { nil }

    package func list(_ directory: String) throws(SystemError) -> [DirectoryEntry] {
        try call("readdir") { state, _ in
            state.names.keys.sorted().filter { $0.hasPrefix(directory + "/") }.map {
                DirectoryEntry(name: String($0.dropFirst(directory.count + 1)), isDirectory: false)
            }
        }
    }

    package func freeBytes(_ directory: String) -> Int? { nil }

    package func discardCache(_ descriptor: Int32) {
        state.withLock { state in
            guard state.hasPower, let file = state.open[descriptor]?.file, file.pending.isEmpty else { return }
            file.content = file.durable
        }
    }

    // MARK: - Inside

    private func call<Result>(
        _ name: String, _ work: (inout State, Fault?) -> Result
    ) throws(SystemError) -> Result {
        state.withLock { $0.watcher }?(name)
        let outcome = state.withLock { state -> Swift.Result<Result, SystemError> in
            state.calls += 1
            state.log.append(name)
            let fault = state.faults[state.calls]
            if fault == .powerCut { state.hasPower = false }
            guard state.hasPower else { return .failure(SystemError(name, ENODEV)) }
            switch fault {
            case .error(let code)?: return .failure(SystemError(name, code))
            case .half(let code)? where name != "pwritev": return .failure(SystemError(name, code))
            default: return .success(work(&state, fault))
            }
        }
        return try outcome.get()
    }

    private static func open(
        _ path: String, create: Bool, isDirect: Bool = false, _ state: inout State
    ) -> Int32? {
        if state.names[path] == nil && create { state.replace(path, with: File()) }
        guard let file = state.names[path] else { return nil }
        state.nextDescriptor += 1
        state.open[state.nextDescriptor] = (file, path, isDirect)
        return state.nextDescriptor
    }
}

extension SimulatedDisk.State {
    fileprivate var used: Int { names.values.reduce(0) { $0 + $1.content.count } }

    fileprivate mutating func replace(_ name: String, with file: SimulatedDisk.File?) {
        names[name] = file
        pendingNames.append([(name, file)])
    }
}

extension SimulatedDisk.File {
    fileprivate func settle() {
        for change in pending {
            switch change {
            case .size(let size): durable.resize(to: size)
            case .write(let offset, let bytes): durable.overwrite(at: offset, with: bytes[...])
            }
        }
        pending = []
    }
}

extension [UInt8] {
    fileprivate mutating func resize(to size: Int) {
        if size < count { removeLast(count - size) }
        if size > count { self += [UInt8](repeating: 0, count: size - count) }
    }

    fileprivate mutating func overwrite(at offset: Int, with bytes: ArraySlice<UInt8>) {
        if offset + bytes.count > count { resize(to: offset + bytes.count) }
        // Copies in one call: the collection's own method is slow in a debug build, and the tests do this a million
        // times.
        withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { source in
                if let to = target.baseAddress, let from = source.baseAddress {
                    memcpy(to + offset, from, source.count)
                }
            }
        }
    }
}
