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
    ///   - formats: what the route reads.
    ///   - example: the body that the refusal shows.
    /// - Throws: `unsupportedMediaType`, whose text shows the curl line for JSON.
    init(_ request: Request, reads formats: [WireFormat], example: String = "{...}") throws(Problem) {
        guard let value = request.headers["Content-Type"] else {
            self = .json
            return
        }
        let type = value.prefix { $0 != ";" }
        let media = type[...].trimmingSpaces().lowercased()
        let takesTensors = formats.contains(.safetensors)
        let tensors = WireFormat.safetensors
        if [.json, .mergePatch].contains(where: { (format: WireFormat) in format.mediaType == media }) {
            self = .json
        } else if takesTensors, media == tensors.mediaType || tensors.row.others.contains(media) {
            self = .safetensors
        } else {
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

extension Call {
    /// The format of the request's body, which the route has to read.
    func bodyFormat() throws(Problem) -> BodyFormat { try BodyFormat(request, reads: route.bodies) }
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
