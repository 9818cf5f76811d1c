// The media types of bodies. Form types are refused on every route, even without a body: a page of any site can make a
// browser send a form, but nothing else without permission.

import HTTPServing

/// The format of a request's body.
enum BodyFormat {
    case json
    case safetensors

    /// The format in the request's Content-Type; JSON if there is none.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - formats: the formats that the route accepts.
    ///   - example: the body shown in the refusal.
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
    /// The format of the request's body, if the route accepts it.
    func bodyFormat() throws(Problem) -> BodyFormat { try BodyFormat(request, reads: route.bodies) }
}

extension Request {
    /// The command that sends this request with a JSON body.
    func curlLine(_ body: String) -> String {
        // curl uses POST by default when it has a body.
        let way = method == .post ? "" : "-X \(method.rawValue) "
        return "curl \(way)--json '\(body)' '\(address(target[...]))'"
    }

    /// The address of a target on this server, quoted for use between single quotes.
    func address(_ target: some StringProtocol) -> String {
        "http://\(headers["Host"] ?? "127.0.0.1:8470")\(target)".replacing("'", with: "%27")
    }
}
