// The answer to a pull: one version, encoded once, sent to all clients. A whole model in safetensors is a small header
// and the arena itself, without a copy; content that is too long to keep is made for each answer while it is sent.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// One pull's answer.
struct PullAnswer: Sendable {
    private let call: Call
    private let version: PublishedVersion
    private let selection: Selection
    private let isImmutable: Bool

    /// Makes the answer for a selection of a version; under its permanent name it may be cached forever.
    ///
    /// - Throws: `notFound` if the selection was read from a version with another layout, and names what this one lacks.
    init(
        _ call: Call, _ version: PublishedVersion, _ selection: Selection, isImmutable: Bool = false
    ) throws(Problem) {
        (self.call, self.version, self.isImmutable) = (call, version, isImmutable)
        let isCurrent = selection.layoutVersion == version.facts.layoutChanges.version
        self.selection = isCurrent ? selection : try Selection(call, version.facts)
    }

    private var isIndented: Bool { call.isIndented && selection.representation == .json }

    /// Identifies the content among all of the version.
    private var key: String { isIndented ? selection.key + "-i" : selection.key }

    /// The tag of this answer.
    var tag: EntityTag { EntityTag(version, key) }

    /// The headers of every answer about this version, including a 304.
    var headers: [(name: String, value: String)] {
        let path = "/v1/models/\(version.facts.name)/versions/\(version.uid)-\(version.version)/parameters"
        let query = call.selectionQuery
        return [
            (name: "ETag", value: tag.text),
            (name: "Cache-Control", value: isImmutable ? "public, max-age=31536000, immutable" : "no-cache"),
            (name: "Content-Location", value: path + (selection.representation == .json ? "" : ".safetensors") + query),
        ] + vary + versionHeaders(version) + preferenceApplied + call.replayHeaders
    }

    /// The request headers that change the content: a suffix replaces Accept, and only JSON is indented for curl.
    ///
    /// Without this header, caches share a file among all clients.
    private var vary: [(name: String, value: String)] {
        let format = call.suffix.flatMap(Representation.init)
        let headers = [format == nil ? "Accept" : nil, format == .safetensors ? nil : "User-Agent"].compactMap { $0 }
        return headers.isEmpty ? [] : [(name: "Vary", value: headers.joined(separator: ", "))]
    }

    /// The headers of an answer that is not the pull at its address.
    private var ownHeaders: [(name: String, value: String)] {
        headers.filter { !["ETag", "Content-Location"].contains($0.name) }
    }

    /// The headers of a push's answer.
    ///
    /// Only JSON includes the receipt, and differs from a pull's body then.
    private func headers(with receipt: Receipt) -> [(name: String, value: String)] {
        (selection.representation == .json ? ownHeaders : headers) + receipt.headers
    }

    private var preferenceApplied: [(name: String, value: String)] {
        // A version is there or it is not, and caches must not repeat one client's preference to others.
        isImmutable ? [] : call.preferenceHeaders
    }

    /// Completes the exchange with the parameters, or with 304 if the client has them.
    func complete(_ exchange: Exchange, receipt: Receipt? = nil) {
        let content: PullContent
        do throws(ServingError) { content = try PullContent(version, selection, isIndented: isIndented) } catch {
            return exchange.complete { [self] in refusal(error, receipt) }
        }
        let isRepeat = receipt == nil && tag.matches(ifNoneMatch: call.request.headers)
        if isRepeat { return exchange.complete { [headers] in Response(status: 304, headers: headers) } }
        // The content includes a receipt, so it is for one client only.
        if let receipt, selection.representation == .json {
            let isShort = content.bytes.upperBound <= PieceSize.inPlace
            return call.complete(exchange, isShort: isShort) { [self] in
                alone(content, receipt, isShort: isShort)
            }
        }
        let use: EncodingCache.Use<EncodedPull> = { [self] result in answer(exchange, content, receipt, result) }
        switch version.encodings.claim(key, use) {
        case .ready(let encoding): use(.success(encoding))
        case .waits: break
        case .make: make(content) { [self] result in version.encodings.settle(key, result) }
        case .makeAlone: make(content, use)
        }
    }

    /// Makes the content: immediately if it is short, otherwise in slices on model threads.
    private func make(_ content: PullContent, _ finish: @escaping EncodingCache.Use<EncodedPull>) {
        let encoding = PullEncoding(content, registry.budget, finish)
        if encoding.isShort { encoding.run() } else { registry.slices.add(encoding) }
    }

    private var registry: ModelRegistry { call.api.registry }

    private func answer(
        _ exchange: Exchange, _ content: PullContent, _ receipt: Receipt?, _ result: Result<EncodedPull, ServingError>
    ) {
        do throws(ServingError) {
            let encoded = try result.get()
            if let body = encoded.body { return send(exchange, receipt, body, encoded.beyond) }
            let maker = content.maker(nil, encoded.beyond)
            send(exchange, receipt, try MadeStream.body(of: maker, registry), encoded.beyond)
        } catch {
            exchange.complete { [self] in refusal(error, receipt) }
        }
    }

    /// The answer with the receipt in front of the parameters.
    private func alone(_ content: PullContent, _ receipt: Receipt, isShort: Bool) -> Response {
        let beyond = BeyondRange(content)
        let maker = content.maker(receipt, beyond)
        do throws(ServingError) {
            return response(receipt, try MadeStream.body(of: maker, isShort: isShort, registry), beyond)
        } catch {
            return refusal(error, receipt)
        }
    }

    private func send(_ exchange: Exchange, _ receipt: Receipt?, _ body: Response.Body, _ beyond: BeyondRange) {
        exchange.complete { [self] in response(receipt, body, beyond) }
    }

    private func response(_ receipt: Receipt?, _ body: Response.Body, _ beyond: BeyondRange) -> Response {
        let fields = (receipt.map(headers(with:)) ?? headers) + contentHeaders + beyond.headers
        return Response(status: 200, headers: fields, body: body)
    }

    /// The answer without parameters, and with the receipt of a push.
    private func refusal(_ error: ServingError, _ receipt: Receipt?) -> Response {
        var problem = Problem(error)
        guard let receipt else { return problem.response(for: call.request) }
        if error.isOfMemory {
            problem.what = "The parameters do not fit into memory now."
            problem.hint = "Pull them with GET .../parameters.safetensors, which needs the least memory."
        }
        return call.answer(receipt, of: version, without: problem)
    }

    /// The answer if the condition is not met in time: 202 for `min_step`, 304 for `since`.
    func unmet(_ condition: PullCondition) -> Response {
        guard let minStep = condition.minStep, version.step < minStep else {
            return Response(status: 304, headers: headers)
        }
        return .json(indented: call.isIndented, status: 202, headers: ownHeaders) { writer in
            writer.beginObject()
            writer.members(of: version)
            writer.member("waiting_for", minStep)
            writer.endObject()
        }
    }

    private var contentHeaders: [(name: String, value: String)] {
        switch selection.representation {
        case .json: [WireFormat.json.header]
        case .safetensors:
            safetensorsHeaders(version.facts.name, selection.average)
        }
    }
}
