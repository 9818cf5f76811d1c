// A daemon, its disk and its clients on one thread, killed and cut off anywhere, over thousands of seeds: nothing that
// was acknowledged is lost, counted twice or undone, and every client gets an answer.

import Foundation
import Testing

@testable import ParameterServing

@Suite("Simulation")
struct SimulationTests {
    /// The seeds to try: 60, or those that the environment gives as `17` or `0..<2000`.
    private static let seeds: Range<UInt64> = {
        let text = ProcessInfo.processInfo.environment["PARAMD_SEEDS"] ?? "0..<60"
        let ends = text.components(separatedBy: "..<").compactMap(UInt64.init)
        let first = ends.first ?? 0
        return first..<max(first + 1, ends.last ?? 0)
    }()

    @Test("whatever dies and when, the clients' account is right", arguments: 0..<8)
    func seeds(block: Int) {
        Self.run(block) { Story(seed: $0) }
    }

    @Test("whatever dies and when, every push is in one round, and a follower misses nothing", arguments: 0..<8)
    func seedsOfRounds(block: Int) {
        Self.run(block) { RoundStory(seed: $0) }
    }

    /// Runs the histories of every eighth seed until one has a problem.
    private static func run(_ block: Int, _ history: (UInt64) -> SimulatedHistory) {
        for seed in seeds where seed % 8 == UInt64(block) {
            let story = history(seed)
            story.run()
            if seeds.count == 1 { print(story.trace) }
            guard let problem = story.problems.first else { continue }
            Issue.record(
                """
                seed \(seed): \(problem)
                Repeat it: PARAMD_SEEDS=\(seed) swift test --filter SimulationTests
                """)
            return
        }
    }

    @Test("the histories of rounds reach every end of a round, and starts with an open one")
    func reach() {
        var missing = Set(RoundStory.Reach.allCases)
        for seed in 0..<60 as Range<UInt64> where !missing.isEmpty {
            let story = RoundStory(seed: seed)
            story.run()
            missing.subtract(story.reached)
        }
        #expect(missing.isEmpty)
    }

    @Test("a seed tells the same story again")
    func repeats() {
        for seed in 0..<10 as Range<UInt64> {
            for history in [{ Story(seed: $0) }, { RoundStory(seed: $0) }] as [(UInt64) -> SimulatedHistory] {
                let stories = (history(seed), history(seed))
                stories.0.run()
                stories.1.run()
                let lines = zip(stories.0.trace.split(separator: "\n"), stories.1.trace.split(separator: "\n"))
                let fork = lines.first { $0 != $1 }
                #expect(stories.0.trace == stories.1.trace, "seed \(seed): \(fork.map { "\($0), or \($1)" } ?? "")")
            }
        }
    }
}
