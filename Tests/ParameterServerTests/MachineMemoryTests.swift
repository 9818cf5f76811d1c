// The available memory: control groups of both versions, laid out as the kernel shows them.

import Foundation
import Testing

@testable import ParameterServer

@Suite("Machine memory")
struct MachineMemoryTests {
    /// A folder with `/proc` and `/sys` as a process in the given groups sees them.
    private func memory(machine: Int = 1 << 34, _ files: [String: String]) throws -> MachineMemory {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("paramd-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return MachineMemory(machine: machine, root: root.path)
    }

    @Test("a limit of the address space counts where it is the least")
    func addressSpace() {
        let limited = MachineMemory(machine: 1 << 34, addressSpace: 1 << 30, root: "/nowhere")
        #expect(limited.half.bytes == 1 << 29 && limited.owner == "this process's (ulimit -v)")
        let wide = MachineMemory(machine: 1 << 30, addressSpace: 1 << 34, root: "/nowhere")
        #expect(wide.bytes == 1 << 30 && wide.owner == "this machine's")
    }

    @Test("without a control group the machine's memory counts")
    func none() throws {
        #expect(try memory([:]).bytes == 1 << 34)
        let unlimited = try memory(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"])
        #expect(unlimited.bytes == 1 << 34 && unlimited.owner == "this machine's" && unlimited.half.bytes == 1 << 33)
    }

    @Test("version 2: the least limit of the group and those above it counts")
    func second() throws {
        let files = [
            "proc/self/cgroup": "0::/system.slice/paramd.service\n",
            "sys/fs/cgroup/system.slice/paramd.service/memory.max": "2147483648\n",
            "sys/fs/cgroup/system.slice/memory.max": "536870912\n",
        ]
        let memory = try memory(files)
        #expect(memory.bytes == 536_870_912 && memory.half.bytes == 268_435_456)
        #expect(memory.owner == "this control group's")
    }

    @Test("version 2 in a container: the group is the root of what it sees")
    func container() throws {
        #expect(try memory(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000\n"]).bytes == 1_000_000)
    }

    @Test("version 1: the group of the memory controller counts, its huge number for no limit does not")
    func first() throws {
        let groups = "12:cpu,cpuacct:/a\n11:memory:/docker/x\n0::/a\n"
        let file = "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"
        #expect(try memory(["proc/self/cgroup": groups, file: "268435456\n"]).bytes == 268_435_456)
        #expect(try memory(["proc/self/cgroup": groups, file: "9223372036854771712\n"]).bytes == 1 << 34)
    }
}
