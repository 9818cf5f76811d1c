// The machine that was measured, and whether something else was running.

import CReference
import Foundation
import Threading

/// What a report says about its machine.
struct Machine: Codable {
    let date: String
    let processor: String
    let cores: Int
    let gigabytes: Double
    /// Bytes that a loop over three large arrays moves in a second, in 1e9.
    let triad: Double
    /// The share of all cores that was busy before the first row.
    let busy: Double

    /// Looks at the machine for a second, during which this program does nothing.
    static func survey() throws -> Machine {
        let before = try busyTicks()
        Foundation.Thread.sleep(forTimeInterval: 1)
        let after = try busyTicks()
        let busy = Double(after.busy - before.busy) / Double(max(1, after.all - before.all))
        return Machine(
            date: ISO8601DateFormatter().string(from: Date()), processor: processor,
            cores: ProcessInfo.processInfo.activeProcessorCount,
            gigabytes: Double(ProcessInfo.processInfo.physicalMemory) / 1e9, triad: measureTriad(), busy: busy)
    }

    /// Above this share the figures are not those of a quiet machine.
    static let quiet = 0.05

    var isQuiet: Bool { busy <= Self.quiet }

    private static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let key = "model name"
        let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }

    /// Clock ticks since the start of the machine: those in which a core was busy or taken away, and all.
    private static func busyTicks() throws -> (busy: Int, all: Int) {
        let text = try String(contentsOfFile: "/proc/stat", encoding: .utf8)
        let numbers = text.split(separator: "\n")[0].split(separator: " ").dropFirst().compactMap { Int($0) }
        guard numbers.count >= 8 else { throw BenchmarkError("/proc/stat has no line of the cores.") }
        let all = numbers[..<8].reduce(0, +)
        return (all - numbers[3] - numbers[4], all)
    }

    private static func measureTriad() -> Double {
        let count = 16 << 20
        let arrays = (0..<3).map { _ in UnsafeMutablePointer<Float>.allocate(capacity: count) }
        for array in arrays { array.initialize(repeating: 1, count: count) }
        defer { for array in arrays { array.deallocate() } }
        let times = (0..<5).map { _ in
            let begin = Clock.now
            cr_triad(arrays[0], arrays[1], arrays[2], count)
            return Double(Clock.now - begin)
        }
        return Double(3 * count * MemoryLayout<Float>.size) / (times.min() ?? .infinity)
    }
}
