// The media types of bodies. A form's type is refused wherever a body could go, also where none is wanted: a page of any
// site can make a browser send a form, and nothing else without being asked first.

import HTTPServing

/// How a request's body is written.
enum BodyFormat {
    case json
    case safetensors

    /// The format that the request's Content-Type names; JSON when it names none.
    ///
    /// - Parameters:
    ///   - request: whose body it is.
    ///   - takesTensors: whether safetensors is read too.
    ///   - example: the body that the refusal shows.
    /// - Throws: `unsupportedMediaType`, whose text shows the curl line for JSON.
    init(_ request: Request, takesTensors: Bool = true, example: String = "{...}") throws(Problem) {
        guard let value = request.headers["Content-Type"] else {
            self = .json
            return
        }
        let type = value.prefix { $0 != ";" }
        switch type[...].trimmingSpaces().lowercased() {
        case "application/json", "application/merge-patch+json": self = .json
        case "application/vnd.safetensors", "application/octet-stream":
            guard takesTensors else { fallthrough }
            self = .safetensors
        default:
            let more = takesTensors ? ", or tensors as application/vnd.safetensors" : ""
            throw Problem(
                .unsupportedMediaType,
                "The content type `\(type.prefix(80))` is not supported here.",
                hint:
                    "Send JSON\(more). Before curl 7.82, use -H 'Content-Type: application/json' -d in place of --json.",
                command: request.curlLine(example))
        }
    }
}

extension Request {
    /// The command that sends this request with a JSON body.
    func curlLine(_ body: String) -> String {
        // curl says POST by itself when it has a body.
        let way = method == .post ? "" : "-X \(method.rawValue) "
        return "curl \(way)--json '\(body)' '\(address(target[...]))'"
    }

    /// The address of a target on this server, as it is between single quotes.
    func address(_ target: some StringProtocol) -> String {
        "http://\(headers["Host"] ?? "127.0.0.1:8470")\(target)".replacing("'", with: "%27")
    }
}
