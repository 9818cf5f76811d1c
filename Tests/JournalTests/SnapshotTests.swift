// Snapshots: content in any pieces comes back, any flipped bit is found, and a crash at any call leaves the older one
// loadable and the new one whole or absent.

import Glibc
import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Snapshots")
struct SnapshotTests {
    private func content(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return .random(count: count, using: &random)
    }

    @discardableResult
    private func write(
        _ bytes: [UInt8], to store: SnapshotStore, piece: Int = .max, kind: UInt16 = 1, model: UInt32 = 7,
        position: UInt64 = 1, isReadBack: Bool = false
    ) throws(JournalError) -> SnapshotInfo {
        let writer = try store.create(kind: kind, model: model, position: position, label: [1, 2, 3])
        try bytes.withUnsafeBufferPointer { bytes throws(JournalError) in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                try writer.write(UnsafeRawBufferPointer(rebasing: rest.prefix(piece)))
                rest = rest.dropFirst(piece)
            }
        }
        return try writer.finish(isReadBack: isReadBack)
    }

    private func read(_ reader: SnapshotReader, from offset: Int, count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let copied = try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: offset) }
        return Array(buffer.prefix(copied))
    }

    @Test(
        "content of any length, written in pieces of any length, comes back",
        arguments: [0, 1, 65_527, 65_528, 65_529, 131_056, 200_000], [1 << 30, 65_528, 30_001])
    func roundTrip(count: Int, piece: Int) throws {
        let place = try TemporaryDirectory()
        let store = try SnapshotStore(directory: place.path)
        let bytes = content(count)
        let info = try write(bytes, to: store, piece: piece, kind: 3, model: 9, position: 77)
        #expect(
            info == SnapshotInfo(id: 1, kind: 3, model: 9, position: 77, label: [1, 2, 3], length: count))
        let reader = try store.open(info.id)
        #expect(reader.info == info)
        #expect(try read(reader, from: 0, count: count + 10) == bytes)
        for offset in [0, 1, 65_520, 65_528, count - 1] where offset >= 0 && offset < count {
            #expect(try read(reader, from: offset, count: 20) == Array(bytes[offset...].prefix(20)))
        }
        #expect(try read(reader, from: count + 5, count: 20).isEmpty)
    }

    @Test("content larger than one write of blocks comes back, from memory that was not copied")
    func large() throws {
        let place = try TemporaryDirectory()
        let store = try SnapshotStore(directory: place.path)
        let bytes = content(9 << 20)
        let info = try write(bytes, to: store)
        var joined: [UInt8] = []
        try store.open(info.id).forEachBlock { joined += $0 }
        #expect(joined == bytes)
    }

    @Test("list tells models, kinds and positions; prune keeps the newest of one kind and model")
    func listAndPrune() throws {
        let place = try TemporaryDirectory()
        let store = try SnapshotStore(directory: place.path)
        for position in UInt64(1)...4 { try write([UInt8(position)], to: store, position: position * 10) }
        try write([9], to: store, kind: 2, position: 5)
        try write([8], to: store, model: 8, position: 6)
        #expect(try store.list().snapshots.map(\.position) == [10, 20, 30, 40, 5, 6])
        #expect(try store.prune(kind: 1, model: 7, keeping: 2) == 30)
        #expect(try store.list().snapshots.map(\.position) == [30, 40, 5, 6])
        #expect(try store.prune(kind: 4, model: 7) == nil)
        try store.delete(6)
        #expect(try store.list().snapshots.map(\.id) == [3, 4, 5])
        #expect(throws: JournalError.self) { try store.open(6) }
        // While the store is open, the number of a deleted snapshot is not reused.
        #expect(try write([1], to: store).id == 7)
    }

    @Test("an abandoned snapshot leaves nothing, and an unfinished one can be cleared away")
    func unfinished() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        try store.create(kind: 1, model: 1, position: 1).abandon()
        #expect(disk.paths.isEmpty)
        let writer = try store.create(kind: 1, model: 1, position: 1)
        let killed = disk.afterKill()
        #expect(killed.paths == ["/s/state-000000000002.snapshot.tmp"])
        try SnapshotStore(directory: "/s", on: killed).removeLeftovers()
        #expect(killed.paths.isEmpty)
        writer.abandon()
        #expect(throws: JournalError.closed) { try writer.finish() }
    }

    @Test("each flipped bit of a snapshot is found")
    func flipAnyBit() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        let info = try write(content(1000), to: store)
        let path = try #require(disk.paths.first)
        let bytes = try #require(disk.bytes(of: path))
        #expect(bytes.count == 4096 + 1000 + 8)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            disk.put(path, damaged)
            if (try? store.open(info.id).verify()) != nil { Issue.record("bit \(bit) went unnoticed") }
        }
    }

    @Test("a damaged header hides no file, and what is left of it tells the model")
    func damagedHeaderIsListed() throws {
        let disk = SimulatedDisk()
        let info = try write(content(1000), to: try SnapshotStore(directory: "/s", on: disk))
        let path = try #require(disk.paths.first)
        let bytes = try #require(disk.bytes(of: path))
        let flips = (0..<SnapshotHeader.size).map { offset in
            var damaged = bytes
            damaged[offset] ^= 1
            return damaged
        }
        for (number, variant) in (flips + (0..<bytes.count).map { Array(bytes.prefix($0)) }).enumerated() {
            disk.put(path, variant)
            let listing = try SnapshotStore(directory: "/s", on: disk).list()
            #expect(listing.snapshots.isEmpty && Array(listing.damaged.keys) == [info.id], "\(number)")
            let damage = try #require(listing.damaged[info.id])
            #expect(damage.bytes == variant.count && damage.file == info.file, "\(number)")
            let isModelKept = variant.count >= 44 && Array(variant[40..<44]) == Array(bytes[40..<44])
            #expect((damage.model == info.model) == isModelKept, "\(number)")
            #expect(damage.isModelCertain == (variant.prefix(4096) == bytes.prefix(4096)), "\(number)")
            #expect(damage.beginning == Array(variant.dropFirst(4096).prefix(4096)), "\(number)")
        }
    }

    @Test("damage that a reader meets behind an intact header is listed from then on")
    func metDamageIsListed() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        let info = try write(content(1000), to: store)
        disk.damage(try #require(disk.paths.first), at: 4500)
        #expect(try store.list() == SnapshotListing(snapshots: [info]))
        #expect(throws: JournalError.self) { try store.open(info.id).verify() }
        let listing = try store.list()
        #expect(listing.snapshots.isEmpty)
        #expect(listing.damaged[info.id]?.model == info.model && listing.damaged[info.id]?.isModelCertain == true)
        try store.delete(info.id)
        #expect(try store.list() == SnapshotListing())
    }

    @Test("a listing that lacks descriptors fails instead of taking files for damaged")
    func noDescriptors() throws {
        let disk = SimulatedDisk()
        let info = try write(content(1000), to: try SnapshotStore(directory: "/s", on: disk))
        let store = try SnapshotStore(directory: "/s", on: disk)
        // The first call lists the directory, the second opens the file.
        disk.plan(.error(EMFILE), at: disk.calls + 2)
        #expect(throws: JournalError.self) { try store.list() }
        #expect(try store.list() == SnapshotListing(snapshots: [info]))
    }

    @Test("flips, cuts and swapped blocks of a larger snapshot are found")
    func damageLarger() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        let info = try write(content(150_000), to: store)
        let path = try #require(disk.paths.first)
        let bytes = try #require(disk.bytes(of: path))
        var random = SeededGenerator(seed: 5)
        var variants: [[UInt8]] = [bytes.dropLast(), bytes + [0], Array(bytes.prefix(4096 + 65_536))].map(Array.init)
        variants.append(
            Array(bytes[..<4096] + bytes[69_632..<135_168] + bytes[4096..<69_632] + bytes[135_168...]))
        for _ in 0..<500 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            variants.append(damaged)
        }
        for variant in variants {
            disk.put(path, variant)
            #expect(throws: JournalError.self) { try store.open(info.id).verify() }
        }
        disk.put(path, bytes)
        try store.open(info.id).verify()
    }

    @Test("a power cut at any call leaves the older snapshot, and the new one whole or absent")
    func powerCut() throws {
        let old = content(70_000, seed: 2)
        let new = content(90_000, seed: 3)
        for call in 1...40 {
            for seed in 0..<UInt64(10) {
                let disk = SimulatedDisk()
                let store = try SnapshotStore(directory: "/s", on: disk)
                try write(old, to: store, position: 10)
                disk.plan(.powerCut, at: disk.calls + call)
                let announced = (try? write(new, to: store, position: 20)) != nil
                if announced { _ = try? store.prune(kind: 1, model: 7, keeping: 1) }
                try check(disk.afterPowerCut(seed: seed), old, new, announced, "call \(call), seed \(seed)")
            }
        }
    }

    private func check(
        _ disk: SimulatedDisk, _ old: [UInt8], _ new: [UInt8], _ announced: Bool, _ context: String
    ) throws {
        let store = try SnapshotStore(directory: "/s", on: disk)
        let listing = try store.list()
        #expect(listing.damaged.isEmpty, "\(context)")
        #expect(!listing.snapshots.isEmpty, "\(context)")
        if announced { #expect(listing.snapshots.contains { $0.position == 20 }, "\(context)") }
        for info in listing.snapshots {
            let found = try read(store.open(info.id), from: 0, count: 100_000)
            #expect(found == (info.position == 10 ? old : new), "\(context)")
        }
    }

    @Test("the n-th call fails: the snapshot is refused without a trace, or it is whole")
    func failingCalls() throws {
        for fault in [Fault.error(EIO), .half(ENOSPC), .error(EROFS), .short] {
            for call in 1...30 {
                let disk = SimulatedDisk()
                let store = try SnapshotStore(directory: "/s", on: disk)
                let bytes = content(70_000)
                disk.plan(fault, at: disk.calls + call)
                do throws(JournalError) {
                    let info = try write(bytes, to: store)
                    let found = try? read(store.open(info.id), from: 0, count: 100_000)
                    #expect(found == bytes || disk.calls >= call, "\(fault) at \(call)")
                } catch {
                    #expect(fault != .short, "short at \(call): \(error)")
                    let listing = try store.list()
                    #expect(listing.damaged.isEmpty, "\(fault) at \(call)")
                }
            }
        }
    }

    @Test("a disk that gives back other bytes than were written gets no file that is to be read back")
    func readBack() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        let corrupted = Locked(false)
        disk.watch { name in
            // The first read is the check of the finished file, so the test damages it just before.
            guard name == "pread", corrupted.withLock({ !$0 }) else { return }
            corrupted.withLock { $0 = true }
            disk.damage("/s/state-000000000001.snapshot.tmp", at: 5000)
        }
        #expect(throws: JournalError.self) { try write(content(2000), to: store, isReadBack: true) }
        #expect(disk.paths.isEmpty)
    }

    @Test("a file that another could replace is not read after it was written")
    func noReadBack() throws {
        let disk = SimulatedDisk()
        let store = try SnapshotStore(directory: "/s", on: disk)
        let reads = Locked(0)
        disk.watch { name in if name == "pread" { reads.withLock { $0 += 1 } } }
        let bytes = content(200_000)
        let info = try write(bytes, to: store)
        #expect(reads.withLock { $0 } == 0)
        #expect(try read(store.open(info.id), from: 0, count: 300_000) == bytes)
    }

    @Test("what was set aside before stays when a later file of the same number is damaged too")
    func setAsideTwice() throws {
        let disk = SimulatedDisk()
        let name = "state-000000000001.snapshot"
        for (seed, aside) in [(1, "salvaged-\(name)"), (2, "salvaged-\(name)-2")] as [(UInt64, String)] {
            let store = try SnapshotStore(directory: "/s", on: disk)
            #expect(try write(content(2000, seed: seed), to: store).id == 1)
            disk.damage("/s/\(name)", at: 5000)
            #expect(try store.setDamagedAside() == [aside])
        }
        #expect(Set(disk.paths) == ["/s/salvaged-\(name)", "/s/salvaged-\(name)-2"])
    }

    @Test("a file whose number has no successor is not the store's")
    func lastNumber() throws {
        let place = try TemporaryDirectory()
        let disk = POSIXFileSystem()
        disk.close(try disk.open(place.path + "/state-\(UInt64.max).snapshot", .create))
        let store = try SnapshotStore(directory: place.path)
        #expect(try store.list() == SnapshotListing())
        #expect(try write(content(10), to: store).id == 1)
    }
}
