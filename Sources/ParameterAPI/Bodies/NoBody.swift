// Endpoints without a body. Most clients send none; some can only send `{}`. Anything else is checked too: a field
// ignored silently would be a misunderstanding that no one notices.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

extension Call {
    /// Handles a request without a body.
    ///
    /// - Throws: `unsupportedMediaType` for a body of a type other than JSON, even an empty one.
    func readNothing(then done: @escaping (Exchange) -> Void) throws(Problem) -> Plan {
        _ = try BodyFormat(request, reads: [], example: "{}")
        // A request without any length has no body: curl -X PUT sends neither of them.
        guard request.announcesBody else { return .answer(done) }
        let receiver = ContentReceiver(self, DocumentReader(self)) { document, exchange throws(Problem) in
            try Self.checkEmpty(document)
            done(exchange)
        }
        return .read(receiver, limit: DocumentReader.limit)
    }

    private static func checkEmpty(_ document: JSONValue) throws(Problem) {
        guard let members = document.members else {
            throw Problem([
                Complaint(
                    pointer: "", exception: .typeError, detail: "the body must be empty or {}, not \(document.kind)")
            ])
        }
        guard members.isEmpty else {
            throw Problem(
                members.map { member in
                    Complaint(
                        pointer: "/\(member.key.pointerEscaped)", exception: .keyError,
                        detail: "unknown field `\(member.key)`; this request has no fields, so send {} or no body")
                })
        }
    }
}
