// Integers on disk: the byte for a parameter's kind, and the format numbers that prevent daemons which would take an
// integer for a trained parameter from reading it. Golden/v2 is pinned: the written bytes never change.

import Foundation
import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Integers on disk")
struct IntegerFormTests {
    private func golden(_ name: String) throws -> [UInt8] {
        let root = try #require(Bundle.module.resourcePath)
        return try Array(Data(contentsOf: URL(filePath: "\(root)/Golden/v2/\(name)")))
    }

    private func definition(in bytes: [UInt8]) throws -> ModelDefinition {
        try parse(bytes) { reader throws(FormatError) in try ModelDefinition(reading: &reader) }
    }

    private func parameter(in bytes: [UInt8]) throws -> ParameterDefinition {
        try parse(bytes) { reader throws(FormatError) in try reader.readParameter() }
    }

    @Test(
        "a parameter's last byte, one for each thing that it can be",
        arguments: [
            (false, nil, 0), (true, nil, 1), (false, WireType.int8, 2), (false, .int16, 3), (false, .int32, 4),
            (false, .int64, 5), (false, .uint8, 6), (false, .boolean, 7),
        ] as [(Bool, WireType?, UInt8)])
    func codes(isTrainable: Bool, type: WireType?, code: UInt8) throws {
        let parameter = ParameterDefinition(name: "w", shape: .scalar, isTrainable: isTrainable, wireType: type)
        var writer = ByteWriter()
        writer.write(parameter)
        #expect(writer.bytes.last == code)
        #expect(try self.parameter(in: writer.bytes) == parameter)
        let unknown = writer.bytes.dropLast() + [8]
        #expect(throws: FormatError.self) { try self.parameter(in: Array(unknown)) }
    }

    @Test("a definition with integers is format 2, and one without is format 1 as ever")
    func formats() throws {
        #expect(bytes(of: Sample.integers).first == 2)
        #expect(bytes(of: Sample.definition).first == 1)
        let later = [3] + bytes(of: Sample.integers).dropFirst()
        #expect(throws: FormatError.self) { try definition(in: Array(later)) }
    }

    @Test("the golden definition loads, and is what is written")
    func goldenDefinition() throws {
        let golden = try golden("definition.bin")
        #expect(bytes(of: Sample.integers) == golden)
        #expect(try definition(in: golden).parameters.map(\.definition) == Sample.integers.parameters.map(\.definition))
    }

    @Test("a definition with integers from before it had a number of its own loads, with the fingerprint that it had")
    func firstFormat() throws {
        var earlier = try golden("definition.bin")
        earlier[0] = 1
        let definition = try definition(in: earlier)
        #expect(definition.parameters.map(\.definition) == Sample.integers.parameters.map(\.definition))
        let builder = Fingerprint.Builder()
        let values = definition.parameters.count + 2  // `w` has three
        let head = earlier.dropLast(values * MemoryLayout<Float>.stride)
        Array(head).withUnsafeBytes { builder.add($0) }
        Array(earlier.suffix(values * MemoryLayout<Float>.stride)).withUnsafeBytes { builder.add($0) }
        #expect(definition.writtenFingerprint == builder.fingerprint)
    }

    @Test("the golden image is of format 2 and loads with every field")
    func goldenImage() throws {
        let golden = try golden("image.bin")
        #expect(try Sample.imageOfIntegers().ofEarlierRelease.bytes == golden)
        #expect(golden[8] == 2)
        let source = ImageSource.of(golden)
        let (head, floats) = try source.head()
        #expect(head.parameters == Sample.integers.parameters.map(\.definition))
        #expect(head.version == 2 && head.optimizer.step == 1)
        #expect(head.history.turns.isEmpty || head.history.step(of: 2) == 1)
        #expect(head.keys.map(\.key.text) == ["kéy"] && head.keys.map(\.key.time) == [1_700_000_000])
        let arena = FloatBuffer(owed: 10)
        try source.floats(into: [arena] + head.optimizer.slots.map(\.buffer), at: floats)
        // `w` changes by -0.5 g, and all other parameters stay as they were.
        #expect(Array(arena[0..<10]) == [-1, -6, 2.5, 4, -128, -32768, 16_777_216, 7, 255, 1])
    }

    @Test("an image with integers in a reader of format 1 is refused by its number")
    func earlierReader() throws {
        #expect(Array(try Sample.imageOfIntegers().ofEarlierRelease.bytes)[8] == 2)
        var later = try golden("image.bin")
        later[8] = 3
        #expect(throws: (any Error).self) { try ImageSource.of(later).head() }
    }

    @Test("writes the files again", .enabled(if: getenv("PARAMD_RECORD_GOLDEN") != nil, "only to record"))
    func record() throws {
        let target = String(cString: try #require(getenv("PARAMD_RECORD_GOLDEN")))
        try Data(bytes(of: Sample.integers)).write(to: URL(filePath: "\(target)/definition.bin"))
        try Data(try Sample.imageOfIntegers().ofEarlierRelease.bytes).write(to: URL(filePath: "\(target)/image.bin"))
    }
}
