// The formats of bodies and answers: one row each, with the name that a path's suffix has, the media type, and the types
// that are taken to mean it. Routes list what they read and write by these.

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

    /// What is known of a format.
    struct Row {
        /// The Content-Type of an answer.
        let contentType: String
        /// Types beside its own that ask for it, or that a body of it may have.
        var others: [String] = []
    }

    var row: Row {
        switch self {
        case .json: Row(contentType: "application/json", others: ["text/html", "application/problem+json"])
        case .mergePatch: Row(contentType: "application/merge-patch+json")
        case .safetensors: Row(contentType: "application/vnd.safetensors", others: ["application/octet-stream"])
        case .npy: Row(contentType: "application/octet-stream")
        case .csv: Row(contentType: "text/csv; charset=utf-8")
        case .svg: Row(contentType: "image/svg+xml")
        case .txt: Row(contentType: "text/plain; charset=utf-8")
        case .html: Row(contentType: "text/html; charset=utf-8")
        }
    }

    /// The Content-Type of an answer.
    var contentType: String { row.contentType }

    /// The media type without parameters, as the contract and Accept have it.
    var mediaType: String { String(contentType.prefix { $0 != ";" }) }

    /// The header that says so.
    var header: (name: String, value: String) { (name: "Content-Type", value: contentType) }
}

/// The forms of one kind of answer: the path's suffix chooses one, or else the Accept header.
protocol AnswerForm: RawRepresentable<String>, CaseIterable {
    /// How the form is written.
    var format: WireFormat { get }
    /// The forms that an Accept header can ask for, the one without a header first.
    static var offered: [Self] { get }
}

extension AnswerForm {
    static var offered: [Self] { Array(allCases) }

    /// The formats of all forms, in their order.
    static var formats: [WireFormat] { allCases.map(\.format) }

    /// The form that the path's suffix names, or else the Accept header; the first without either.
    init(_ call: Call) throws(Problem) {
        if let suffix = call.suffix, let named = Self(rawValue: suffix) {
            self = named
            return
        }
        try self.init(accepting: call)
    }

    /// The form that the Accept header asks for, whatever the path ends in.
    init(accepting call: Call) throws(Problem) {
        let hasText = Self.offered.contains { $0.format.mediaType.hasPrefix("text/") }
        self = try call.accepted(
            Self.offered.map { form in
                let others = form.format.row.others + (form.format == .json && !hasText ? ["text/*"] : [])
                return Offer(form, [form.format.mediaType] + others)
            })
    }
}
