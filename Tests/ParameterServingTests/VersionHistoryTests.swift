// The step of each version, and the versions that restores abandoned. The expected values are drawn by hand: each row
// of a comment is a branch, versions from left to right.

import Testing

@testable import ParameterServing

@Suite("Version history")
struct VersionHistoryTests {
    /// Versions 1 to 5 at steps 0 to 4; version 6 restores version 3, and 7 and 8 continue from it.
    private static let once: VersionHistory = {
        var history = VersionHistory(version: 1, step: 0)
        for version in 2...5 { history.note(version: version, step: version - 1) }
        history.noteReturn(version: 6, step: 2, source: nil)
        for version in 7...8 { history.note(version: version, step: version - 4) }
        return history
    }()

    private static func left(_ versions: ClosedRange<Int>, by history: VersionHistory) -> [Int] {
        versions.filter { history.stepOfReturn(leaving: $0, current: versions.upperBound) != nil }
    }

    @Test("an update moves step and version together, and costs nothing")
    func updates() {
        var history = VersionHistory(version: 1, step: 7)
        for version in 2...1000 { history.note(version: version, step: version + 6) }
        #expect(history.turns.count == 1)
        #expect(history.step(of: 1) == 7 && history.step(of: 500) == 506)
    }

    @Test("a change without an update moves the version alone")
    func changes() {
        var history = VersionHistory(version: 1, step: 0)
        for (version, step) in [(2, 0), (3, 1), (4, 2), (5, 2)] { history.note(version: version, step: step) }
        #expect((1...5).map(history.step(of:)) == [0, 0, 1, 2, 2])
        #expect(Self.left(1...5, by: history).isEmpty)
    }

    @Test("a return leaves what came after the version that it brings back")
    func left() {
        #expect((1...8).map(Self.once.step(of:)) == [0, 1, 2, 3, 4, 2, 3, 4])
        #expect(Self.left(1...8, by: Self.once) == [4, 5])
        let steps = (1...8).map { Self.once.stepOfReturn(leaving: $0, current: 8) }
        #expect(steps == [nil, nil, nil, 2, 2, nil, nil, nil])
    }

    @Test("a return to a branch that had been left takes it up again and leaves the other")
    func back() {
        var history = Self.once
        history.noteReturn(version: 9, step: 4, source: 5)
        #expect(Self.left(1...9, by: history) == [6, 7, 8])
    }

    @Test("without a source the last version of that step is meant")
    func laterCounts() {
        var history = Self.once
        history.noteReturn(version: 9, step: 3, source: nil)
        #expect(history.turns.last?.source == 7)
        #expect(Self.left(1...9, by: history) == [4, 5, 8])
    }

    @Test("what is kept is bounded, and older versions count as the oldest that is known")
    func bounded() {
        var history = VersionHistory(version: 1, step: 0)
        for version in 2...5000 { history.note(version: version, step: version / 2) }
        #expect(history.turns.count == ServingConfiguration.versionTurns)
        #expect(history.step(of: 1) == history.turns[0].step)
    }

    @Test("an image that claims versions in disorder is refused")
    func order() {
        #expect(VersionHistory([]) == nil)
        #expect(VersionHistory([.init(version: 2, step: 0), .init(version: 2, step: 1)]) == nil)
    }
}
