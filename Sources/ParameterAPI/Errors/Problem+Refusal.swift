// What the HTTP layer refuses, in the words of the daemon: that layer knows neither flags nor models.

import HTTPServing

extension Problem {
    /// What a refusal of the HTTP layer looks like.
    init(_ refusal: Refusal) {
        let ending = refusal == .cutOff ? "" : " Nothing was applied."
        self.init(ProblemKind(refusal), "\(refusal.advice)\(ending)")
        if refusal.status == 503 { retryAfter = 1 }
        if case .noRoomForAnswer(let bytes) = refusal { wantedRoom = bytes }
    }
}

extension Refusal {
    /// What is wrong and what to change, with the flag to change it where there is one.
    fileprivate var advice: String {
        switch self {
        case .foreignHost(let host):
            "This daemon does not answer for the host `\(host.prefix(80))`: ask for localhost, 127.0.0.1, [::1] or the address that it listens on, or start it with --allow-host \(host.prefix(80))."
        case .foreignSite: "\(detail) --allow-host NAME admits the pages of a host."
        case .bodyTooLarge(FixedLimits.json.documentBytes):
            "The body is longer than the \(FixedLimits.json.documentBytes) bytes that JSON without tensors may have (the limit json-envelope, which is fixed); send less at a time."
        case .bodyTooLarge(FixedLimits.rates.documentBytes):
            "The body is longer than the \(FixedLimits.rates.documentBytes) bytes that JSON with arrays of rates may have (the limit json-rates, which is fixed); append the rates in several requests."
        case .bodyTooLarge(let limit):
            "The body is longer than the \(limit) bytes that are accepted here. Tensors may be as long as the model's numbers, definitions as --memory has room for: split the push, send safetensors, or start the daemon with a larger --memory."
        case .headTooLarge: "\(detail) The daemon's --limit header-bytes=SIZE changes that."
        case .targetTooLong: "\(detail) The daemon's --limit target-bytes=SIZE changes that."
        case .bodyTimedOut:
            "\(detail) The daemon's --limit minimum-rate=SIZE and rate-window=TIME change what it accepts."
        case .outpaced:
            "\(detail) The daemon's --limit connections=COUNT and --memory change how much room it has, pressure-rate=SIZE whom it cuts."
        case .noRoomForAnswer: "\(detail) A larger --memory has more room."
        case .tooManyConnections:
            "\(detail) The daemon's --limit connections=COUNT and --memory change how many may be."
        case .cutOff:
            "\(detail) Send the same request again with the same seq or Idempotency-Key: what was kept is not applied twice."
        default: detail
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
