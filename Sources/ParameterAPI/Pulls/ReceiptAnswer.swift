// The answer to a push with `?pull=1` that was applied although its parameters are refused. It is a 200 in JSON, whatever
// format the pull was to have: an error status would say that the push failed.

import HTTPServing
import ParameterServing
import TensorCoding

extension Call {
    /// The receipt and, in place of the parameters, the problem that a pull on its own would be answered with.
    ///
    /// - Parameter version: the version that the pull would have returned.
    func answer(_ receipt: Receipt, of version: PublishedVersion, without problem: Problem) -> Response {
        let headers = versionHeaders(version) + receipt.headers + preferenceHeaders + replayHeaders
        var response = Response.json(indented: isIndented, status: 200, headers: headers) { writer in
            writer.beginObject()
            writer.member("model", version.facts.name)
            writer.members(of: version)
            writer.key("receipt")
            writer.receipt(receipt, of: version.facts)
            writer.key("pull")
            problem.write(to: &writer, isWrite: false)
            writer.endObject()
        }
        problem.askForRoom(in: &response)
        return response
    }
}

extension Receipt {
    /// Its main fields, for the head of an answer with parameters.
    var headers: [(name: String, value: String)] {
        var fields = [
            (name: "X-Paramd-Applied", value: "\(applied)"), (name: "X-Paramd-Overflow", value: "\(overflow)"),
            (name: "X-Paramd-Replayed", value: "\(replayed)"),
        ]
        if let scale = nextLossScale { fields.append((name: "X-Paramd-Loss-Scale", value: "\(scale)")) }
        return fields
    }
}
