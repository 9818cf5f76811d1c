// The core's decisions and effects, as texts in Scenarios: commands in, effects out, without threads, clocks, files or
// locks.

import Testing

@testable import ParameterServing

@Suite("Scenarios")
struct ScenarioTests {
    @Test("every command has the effects that its scenario tells", arguments: ScenarioFile.names)
    func scenario(name: String) throws {
        let file = try ScenarioFile(name)
        let machine = ScenarioMachine()
        let told = file.blocks.map { block in
            var told = block
            told.output = machine.perform(block.command)
            return told
        }
        if ScenarioFile.isWriting { return try file.write(told) }
        #expect(!file.blocks.isEmpty)
        for (told, expected) in zip(told, file.blocks) {
            #expect(told.output == expected.output, "\(name): \(expected.command)")
        }
    }

    @Test("there are scenarios")
    func some() { #expect(ScenarioFile.names.count >= 6) }
}
