// Values without room at their destination are passed to the sink, in order and complete, whatever the chunks are.

import Foundation
import Names
import Testing

@testable import TensorCoding

@Suite("Values without room")
struct SpillTests {
    /// More than the scratch window of 256 values, so that it is filled several times.
    private static let long = (0..<700).map(Float.init)
    private static let expected: [Name: [Float]] = ["short": Array(long[3...]), "unknown": long]

    private static func recorder() -> Recorder {
        let recorder = Recorder(["short": 3, "fits": 700])
        recorder.growsOthers = false
        return recorder
    }

    @Test("of lists and base64", arguments: [1, 7, 1000, Int.max], [false, true])
    func json(chunk: Int, isEncoded: Bool) throws {
        let numbers = Self.long.map { "\(Int($0))" }.joined(separator: ",")
        let base64 = Self.long.withUnsafeBytes { Data($0).base64EncodedString() }
        let tensor = isEncoded ? #"{"dtype":"F32","b64":"\#(base64)"}"# : "[\(numbers)]"
        let sink = Self.recorder()
        let text = #"{"gradients":{"short":\#(tensor),"fits":\#(tensor),"unknown":\#(tensor)}}"#
        let body = try readBody(text, chunk: chunk, sink: sink)
        #expect(sink.spilled == Self.expected)
        #expect(body.tensors.map(\.elementCount) == [700, 700, 700])
        #expect(sink.values("fits") == Self.long && sink.values("short") == [0, 1, 2])
    }

    @Test("of a safetensors file", arguments: [1, 7, 1000, Int.max])
    func safetensors(chunk: Int) throws {
        let bytes = Self.long.withUnsafeBytes { Array($0) }
        let entries = ["short", "fits", "unknown"].enumerated().map { place, name in
            #""\#(name)":{"dtype":"F32","shape":[700],"data_offsets":[\#(place * 2800),\#(place * 2800 + 2800)]}"#
        }
        let header = Array("{\(entries.joined(separator: ","))}".utf8)
        let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
        let sink = Self.recorder()
        var reader = SafetensorsReader(sink: sink)
        var rest = (length + header + bytes + bytes + bytes)[...]
        while !rest.isEmpty {
            try Array(rest.prefix(chunk)).withUnsafeBytes { piece in
                Result { () throws(SafetensorsError) in try reader.read(piece) }
            }.get()
            rest = rest.dropFirst(chunk)
        }
        _ = try reader.finish()
        #expect(sink.spilled == Self.expected)
    }

    @Test("but not those that a growing buffer stores")
    func growing() throws {
        let sink = Recorder()
        _ = try readBody(#"{"gradients":{"w":[1,2,3],"e":{"indices":[0],"values":[[4]]}}}"#, sink: sink)
        #expect(sink.spilled.isEmpty)
    }
}
