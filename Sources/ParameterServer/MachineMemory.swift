// The memory available to this process: the machine's, or less if a control group (a container, a systemd unit) or the
// process's own address space limit (ulimit -v) says so. Read once, for the default and the maximum of --memory.

import Glibc

/// The memory that this process may use at most.
struct MachineMemory: Sendable {
    /// Number of bytes.
    let bytes: Int
    /// Its origin, for messages.
    let owner: String

    /// The value for this process.
    static let current = MachineMemory(
        machine: sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), addressSpace: addressSpace, root: "")

    /// The smallest of the machine's memory, the limits of the process's control groups and that of its address space;
    /// `root` contains `/proc` and `/sys`.
    init(machine: Int, addressSpace: Int = .max, root: String) {
        let group = Self.limitFiles(root).compactMap { Self.text(root + $0).flatMap(Int.init) }.filter { $0 > 0 }.min()
        let least = min(machine, group ?? machine)
        bytes = min(least, addressSpace)
        owner =
            bytes < least ? "this process's (ulimit -v)" : bytes < machine ? "this control group's" : "this machine's"
    }

    /// The limit of the process's address space.
    private static var addressSpace: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return .max }
        return Int(clamping: limit.rlim_cur)
    }

    /// Half of the memory: the rest is for allocations outside the budget, and for the system's page cache.
    var half: ByteCount { ByteCount(bytes: bytes / 2) }

    /// The limit files of this process's control groups and of all their parents, version 2 or 1.
    private static func limitFiles(_ root: String) -> [String] {
        let lines = text(root + "/proc/self/cgroup")?.split(separator: "\n") ?? []
        return lines.flatMap { line -> [String] in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let isOld = parts[1].split(separator: ",").contains("memory")
            guard isOld || (parts[0] == "0" && parts[1].isEmpty) else { return [] }
            let (mount, file) =
                isOld ? ("/sys/fs/cgroup/memory", "memory.limit_in_bytes") : ("/sys/fs/cgroup", "memory.max")
            return groups(parts[2]).map { "\(mount)\($0)/\(file)" }
        }
    }

    /// A group's path and those of its parents, up to the empty one.
    private static func groups(_ path: Substring) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).map { names.prefix($0).map { "/" + $0 }.joined() }
    }

    /// The content of a small file without its line end; nil if it cannot be read.
    private static func text(_ path: String) -> String? {
        guard let text = try? readText(path, most: 65_536), !text.isEmpty else { return nil }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
