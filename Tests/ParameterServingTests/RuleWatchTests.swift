// The notes of running custom code: they survive the process only if a fatal signal has marked them.

import Glibc
import Journal
import Testing

@testable import ParameterServing

@Suite("Rule watch")
struct RuleWatchTests {
    private static let uid = ModelUID(number: 7)

    /// Marks the running note in the file, as the handler of a fatal signal does.
    private static func crash(in path: String) throws {
        let file = Glibc.open("\(path)/RULES", O_RDWR)
        defer { close(file) }
        for slot in 0..<Int(lseek(file, 0, SEEK_END)) / RuleNote.size {
            var state: UInt32 = 0
            let place = off_t(slot * RuleNote.size)
            guard pread(file, &state, 4, place) == 4, state == RuleNote.State.running.rawValue else { continue }
            state = RuleNote.State.crashed.rawValue
            try #require(pwrite(file, &state, 4, place) == 4)
        }
    }

    @Test("what ended is forgotten, what was killed is forgotten, what crashed is told until its model is gone")
    func life() throws {
        let directory = try TemporaryDirectory()
        let data = DataDirectory(reading: directory.path)
        var watch = try RuleWatch(data)
        #expect(watch.run("Rule", on: Self.uid, step: 3) { 5 } == 5)
        #expect(data.ruleCrashes.isEmpty)

        // A kill leaves the note in the state `running`.
        watch.run("Rule", on: Self.uid, step: 4) {
            #expect(data.ruleCrashes.isEmpty)
            _ = try? RuleWatch(data)
        }
        #expect(data.ruleCrashes.isEmpty)

        watch = try RuleWatch(data)
        try watch.run("Ru\u{308}le", on: Self.uid, step: 5) { try Self.crash(in: directory.path) }
        // The end of `run` has freed the note: only a process that ends leaves a mark behind.
        #expect(data.ruleCrashes.isEmpty)
        try watch.run("Ru\u{308}le", on: Self.uid, step: 6) {
            try Self.crash(in: directory.path)
            let crash = RuleCrash(uid: Self.uid, step: 6, rule: "Ru\u{308}le", isOfThisBuild: true)
            #expect(data.ruleCrashes == [crash])
            let next = try RuleWatch(data)
            #expect(data.ruleCrashes == [crash])
            next.forget(except: [Self.uid])
            #expect(data.ruleCrashes == [crash])
            next.forget(except: [])
            #expect(data.ruleCrashes.isEmpty)
        }
    }

    @Test("a name longer than a note is cut, more updates than notes run all the same")
    func bounds() throws {
        let directory = try TemporaryDirectory()
        let data = DataDirectory(reading: directory.path)
        let watch = try RuleWatch(data)
        try watch.run(String(repeating: "x", count: 300), on: Self.uid, step: .max) {
            try Self.crash(in: directory.path)
            let crash = try #require(data.ruleCrashes.first)
            #expect(crash.rule == String(repeating: "x", count: RuleNote.size - 33))
            #expect(crash.step == .max)
        }
        func nest(_ depth: Int) -> Int {
            depth == 0 ? 1 : watch.run("Rule", on: Self.uid, step: depth) { nest(depth - 1) + 1 }
        }
        #expect(nest(RuleWatch.room + 10) == RuleWatch.room + 11)
    }

    @Test("there is room for notes beside those of any number of crashes")
    func manyCrashes() throws {
        let directory = try TemporaryDirectory()
        let data = DataDirectory(reading: directory.path)
        /// Repeated starts of a program whose rule crashes for each model.
        func start(_ number: UInt32) throws {
            guard number <= 3 * RuleWatch.room else { return }
            let watch = try RuleWatch(data)
            try watch.run("Rule", on: ModelUID(number: number), step: 1) {
                try Self.crash(in: directory.path)
                #expect(data.ruleCrashes.count == Int(number))
                try start(number + 1)
            }
        }
        try start(1)
    }
}
