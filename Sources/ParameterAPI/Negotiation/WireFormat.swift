// The formats of bodies and answers: one row each, with the path's suffix, the media type and its synonyms. Routes list
// their formats from here.

/// A format of the wire.
enum WireFormat: String, CaseIterable {
    case json
    case mergePatch
    case safetensors
    case npy
    case csv
    case svg
    case txt
    case html
    case events

    /// The properties of a format.
    struct Row {
        /// The media type without parameters.
        let mediaType: String
        /// The Content-Type of an answer.
        let contentType: String
        /// Other types that select it, or that a body of this format may have.
        let others: [String]

        init(_ mediaType: String, contentType: String? = nil, others: [String] = []) {
            (self.mediaType, self.contentType, self.others) = (mediaType, contentType ?? mediaType, others)
        }
    }

    var row: Row {
        switch self {
        case .json: Row("application/json", others: ["text/html", "application/problem+json"])
        case .mergePatch: Row("application/merge-patch+json")
        case .safetensors: Row("application/vnd.safetensors", others: ["application/octet-stream"])
        case .npy: Row("application/octet-stream")
        case .csv: Row("text/csv", contentType: "text/csv; charset=utf-8")
        case .svg: Row("image/svg+xml")
        case .txt: Row("text/plain", contentType: "text/plain; charset=utf-8")
        case .html: Row("text/html", contentType: "text/html; charset=utf-8")
        case .events: Row("text/event-stream")
        }
    }

    /// The Content-Type of an answer.
    var contentType: String { row.contentType }

    /// The media type without parameters, as in the contract and in Accept.
    var mediaType: String { row.mediaType }

    /// The Content-Type header.
    var header: (name: String, value: String) { (name: "Content-Type", value: contentType) }
}

/// The formats of one kind of answer: chosen by the path's suffix, or by the Accept header.
protocol AnswerForm: RawRepresentable<String>, CaseIterable {
    /// The format.
    var format: WireFormat { get }
    /// The formats that an Accept header can select; the first is the default.
    static var offered: [Self] { get }
}

extension AnswerForm {
    static var offered: [Self] { Array(allCases) }

    /// The formats of all cases, in order.
    static var formats: [WireFormat] { allCases.map(\.format) }

    /// The format from the path's suffix, or from the Accept header; the first by default.
    init(_ call: Call) throws(Problem) {
        if let suffix = call.suffix, let named = Self(rawValue: suffix) {
            self = named
            return
        }
        try self.init(accepting: call)
    }

    /// The format from the Accept header, regardless of the path.
    init(accepting call: Call) throws(Problem) {
        if call.acceptsAnything, let first = Self.offered.first {
            self = first
            return
        }
        let hasText = Self.offered.contains { $0.format.mediaType.hasPrefix("text/") }
        self = try call.accepted(
            Self.offered.map { form in
                let others = form.format.row.others + (form.format == .json && !hasText ? ["text/*"] : [])
                return Offer(form, [form.format.mediaType] + others)
            })
    }
}
