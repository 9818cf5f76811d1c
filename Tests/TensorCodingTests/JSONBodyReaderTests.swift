// The forms of a tensor and their results, according to the HTTP API's page on tensors.

import Testing

@testable import TensorCoding

@Suite("JSON bodies")
struct JSONBodyReaderTests {
    @Test("nested lists go to the sink's memory and the document keeps the rest", arguments: [1, 2, 3, 7, 1000])
    func nestedLists(chunk: Int) throws {
        let sink = Recorder(["w": 4])
        let text = #"{"worker":"a","gradients":{"w":[[1,-2.5],[3e-2, 4]],"b":-0.0},"seq":7}"#
        let body = try readBody(text, chunk: chunk, sink: sink)
        #expect(sink.values("w") == [1, -2.5, 0.03, 4])
        #expect(body.tensors.map(\.name) == ["w", "b"])
        #expect(body.tensors[0].shape == [2, 2])
        #expect(body.tensors[1].shape == [])
        #expect(body.tensors[1].grown.map(\.sign) == [.minus])
        #expect(body.document["seq"] == .integer(7))
        #expect(body.document["gradients"]?["b"] == .tensor(1))
        #expect(body.issues.isEmpty)
    }

    @Test("a flat tensor may write its members in any order", arguments: [1, 5, 1000])
    func flat(chunk: Int) throws {
        let text = #"{"gradients":{"a":{"shape":[2,3],"data":[1,2,3,4,5,6]},"b":{"data":[1,2],"shape":[1,2]}}}"#
        let body = try readBody(text, chunk: chunk)
        #expect(body.tensors.map(\.shape) == [[2, 3], [1, 2]])
        #expect(body.tensors[0].grown == [1, 2, 3, 4, 5, 6])
        #expect(body.issues.isEmpty)
    }

    @Test("base64 may come before its type", arguments: [1, 5, 1000])
    func base64(chunk: Int) throws {
        let text =
            #"{"gradients":{"a":{"dtype":"F32","shape":[1],"b64":"AACAPw=="},"b":{"b64":"AIA\/AEA=","dtype":"BF16"},"#
            + #""c":{"b64":"AAAAAAAA8D8=","dtype":"FP64"},"d":{"datatype":"FP16","b64":"ADwAwA=="}}}"#
        let body = try readBody(text.replacing("AIA\\/AEA=", with: "gD9AQA=="), chunk: chunk)
        #expect(body.issues == [])
        #expect(body.tensors.map(\.grown) == [[1], [1, 3], [1], [1, -2]])
    }

    @Test("sparse rows keep their indices as integers", arguments: [1, 5, 1000])
    func rows(chunk: Int) throws {
        let text = #"{"gradients":{"e":{"indices":[5,9,5],"values":[[1,2],[3,4],[5,6]],"shape":[10,2]}}}"#
        let body = try readBody(text, chunk: chunk)
        guard case .rows(let indices, let values) = body.tensors[0].content else {
            Issue.record("no rows")
            return
        }
        #expect(indices == [5, 9, 5])
        #expect(Array(values.values) == [1, 2, 3, 4, 5, 6])
        #expect(body.tensors[0].rowsShape == [3, 2])
        #expect(body.tensors[0].shape == [10, 2])
    }

    @Test("a definition's other fields stay with its tensor", arguments: [1, 5, 1000])
    func definition(chunk: Int) throws {
        let text = #"{"parameters":{"w":{"shape":[6,1],"init":{"type":"he_uniform","seed":1},"trainable":false}}}"#
        let body = try readBody(text, chunk: chunk)
        #expect(body.tensors[0].shape == [6, 1])
        #expect(body.tensors[0].fields.map(\.key) == ["init", "trainable"])
        #expect(body.tensors[0].fields.first?.value["seed"] == .integer(1))
    }
}
