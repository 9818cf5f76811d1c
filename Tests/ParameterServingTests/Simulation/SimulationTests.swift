// A daemon, its disk and its clients on one thread, killed and cut off anywhere, over thousands of seeds: nothing that was
// acknowledged is lost, nothing counts twice, nothing comes back, and everyone gets an answer.

import Foundation
import Testing

@testable import ParameterServing

@Suite("Simulation")
struct SimulationTests {
    /// The seeds to try: one alone, or as many as the environment says.
    private static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["PARAMD_SEED"].flatMap(UInt64.init) { return seed..<seed + 1 }
        return 0..<(environment["PARAMD_SEEDS"].flatMap(UInt64.init) ?? 200)
    }()

    @Test("whatever dies and when, the clients' account is right", arguments: 0..<8)
    func seeds(block: Int) {
        for seed in Self.seeds where seed % 8 == UInt64(block) {
            let story = Story(seed: seed)
            story.run()
            if Self.seeds.count == 1 { print(story.trace) }
            guard let problem = story.problems.first else { continue }
            Issue.record(
                """
                seed \(seed): \(problem)
                Repeat it: PARAMD_SEED=\(seed) swift test --filter SimulationTests
                """)
            return
        }
    }

    @Test("a seed tells the same story again")
    func repeats() {
        for seed in 0..<40 as Range<UInt64> {
            let stories = (Story(seed: seed), Story(seed: seed))
            stories.0.run()
            stories.1.run()
            let lines = zip(stories.0.trace.split(separator: "\n"), stories.1.trace.split(separator: "\n"))
            let fork = lines.first { $0 != $1 }
            #expect(stories.0.trace == stories.1.trace, "seed \(seed): \(fork.map { "\($0), or \($1)" } ?? "")")
        }
    }
}
