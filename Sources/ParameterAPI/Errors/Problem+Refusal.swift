// Refusals of the HTTP layer in the daemon's terms: that layer knows neither flags nor models.

import HTTPServing

extension Problem {
    /// Makes a problem from a refusal of the HTTP layer.
    init(_ refusal: Refusal) {
        self.init(ProblemKind(refusal), refusal.what, hint: refusal.hint)
        if refusal.status == 503 { retryAfter = 1 }
        if refusal == .cutOff { outcome = .told }
        if case .noRoomForAnswer(let bytes) = refusal { wantedRoom = bytes }
    }
}

extension Refusal {
    /// What is wrong, in the daemon's terms if it has any.
    fileprivate var what: String {
        switch self {
        case .foreignHost(let host): "This daemon does not answer for the host `\(host.prefix(80))`."
        case .bodyTooLarge(FixedLimits.json.documentBytes):
            "The body is longer than \(FixedLimits.json.documentBytes) bytes, the fixed limit `json-envelope` for JSON without tensors."
        case .bodyTooLarge(FixedLimits.rates.documentBytes):
            "The body is longer than \(FixedLimits.rates.documentBytes) bytes, the fixed limit `json-rates` for JSON with arrays of rates."
        default: detail
        }
    }

    /// What to change, with the flag if there is one.
    fileprivate var hint: String? {
        switch self {
        case .foreignHost(let host):
            "Use localhost, 127.0.0.1, [::1] or the address that the daemon listens on, or start the daemon with --allow-host \(host.prefix(80))."
        case .foreignSite: "To allow the pages of a host, start the daemon with --allow-host NAME."
        case .bodyTooLarge(FixedLimits.json.documentBytes): "Send less at a time."
        case .bodyTooLarge(FixedLimits.rates.documentBytes): "Append the rates in several requests."
        case .bodyTooLarge:
            "Tensors may be as long as the numbers of the model, definitions as long as --memory allows: split the push, send safetensors, or start the daemon with a larger --memory."
        case .headTooLarge: "To change the limit, start the daemon with --limit header-bytes=SIZE."
        case .targetTooLong: "To change the limit, start the daemon with --limit target-bytes=SIZE."
        case .bodyTimedOut:
            "To accept slower bodies, start the daemon with another --limit minimum-rate=SIZE or rate-window=TIME."
        case .outpaced:
            "To make more room, start the daemon with a larger --limit connections=COUNT or --memory; --limit pressure-rate=SIZE sets which bodies make room."
        case .noRoomForAnswer: "Start the daemon with a larger --memory if this happens often."
        case .tooManyConnections:
            "To allow more, start the daemon with a larger --limit connections=COUNT and --memory."
        case .cutOff: "Send the same request again with the same seq or Idempotency-Key; it is never applied twice."
        default: nil
        }
    }
}

extension ProblemKind {
    fileprivate init(_ refusal: Refusal) {
        switch refusal {
        case .malformedMethod, .malformedTarget, .malformedHeader, .inexactHead, .missingHost, .repeatedHost,
            .malformedHost,
            .malformedContentLength, .repeatedContentLength, .ambiguousLength, .unexpectedBody, .unreadable:
            self = .malformedRequest
        case .foreignSite: self = .crossSite
        case .headTimedOut, .bodyTimedOut, .outpaced: self = .requestTimeout
        case .lengthRequired: self = .lengthRequired
        case .bodyTooLarge, .uncountable: self = .tooLarge
        case .targetTooLong: self = .targetTooLong
        case .unknownExpectation: self = .expectationFailed
        case .foreignHost: self = .wrongHost
        case .headTooLarge: self = .headTooLarge
        case .unknownMethod, .unknownTransferEncoding: self = .notImplemented
        case .noRoomForAnswer: self = .outOfMemory
        case .tooManyConnections, .draining, .cutOff: self = .stopping
        case .unsupportedVersion: self = .versionNotSupported
        }
    }
}
