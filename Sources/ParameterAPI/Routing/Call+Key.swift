// `Idempotency-Key`: a request with it can be sent again until its answer arrives. Go's client automatically resends
// requests with `X-Idempotency-Key`, so that is accepted as the same header.

import HTTPServing
import Names
import Optimizers
import ParameterServing

extension Call {
    /// Whether the request has a key, so that an apparent conflict may be its own earlier arrival.
    var isKeyed: Bool { !keyValues.isEmpty }

    private var keyValues: [String] {
        request.headers.values(of: "Idempotency-Key") + request.headers.values(of: "X-Idempotency-Key")
    }

    /// The request's key, without its body.
    ///
    /// - Throws: `conflictingKeys` for two that differ, `malformedRequest` for bytes outside ASCII, for which headers
    ///   have no encoding, `invalidContent` for anything else that is not a key.
    func requestKey() throws(Problem) -> RequestKey? {
        let keys = Set(keyValues.map { Array(Self.unquoted($0).utf8) })
        guard let bytes = keys.first else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard keys.count == 1 else {
            throw Problem(
                .conflictingKeys,
                "Idempotency-Key and X-Idempotency-Key differ; send one of them, or the same value in both."
            )
        }
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            throw Problem(
                .malformedRequest,
                "Idempotency-Key contains characters that are not ASCII; use letters, digits and punctuation, such as a UUID."
            )
        }
        let length = bytes.count
        guard (1...RequestKey.longest).contains(length), bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            let detail = "Idempotency-Key must have 1 to \(RequestKey.longest) characters, without spaces"
            throw Problem([Complaint(pointer: "", exception: .valueError, detail: detail)])
        }
        return RequestKey(text: Name(text), target: target, time: api.registry.now.time)
    }

    /// Structured headers put text in quotes; most clients leave them out.
    private static func unquoted(_ text: String) -> String {
        text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
            ? String(text.dropFirst().dropLast()) : text
    }

    /// Equal for requests with the same method, path and query.
    private var target: Fingerprint {
        let builder = Fingerprint.Builder()
        builder.add(request.method.rawValue)
        for segment in request.path { builder.add(segment) }
        for (name, value) in request.query {
            builder.add(name)
            builder.add(value)
        }
        return builder.fingerprint
    }
}

extension RequestKey {
    /// The key, completed with the meaning of the body.
    func with(_ body: Fingerprint) -> RequestKey {
        var key = self
        key.body = body
        return key
    }
}
