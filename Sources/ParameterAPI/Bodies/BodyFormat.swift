// The media types of bodies with tensors.

import HTTPServing

/// How the tensors of a request's body are written.
enum BodyFormat {
    case json
    case safetensors

    /// The format that the request's Content-Type names; JSON when it names none.
    ///
    /// - Throws: `unsupportedMediaType`, whose text shows the curl line for JSON.
    init(_ request: Request, takesTensors: Bool = true) throws(Problem) {
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
                "`\(type.prefix(80))` is not read here: send JSON\(more). With curl: curl --json '{...}' \(request.target.prefix(200))"
            )
        }
    }
}
