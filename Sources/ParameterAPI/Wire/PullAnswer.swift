// The answer to a pull: one version, encoded once, sent to all who ask. A whole model in safetensors is a small header
// and the arena itself, without a copy.

import HTTPServing
import Optimizers
import ParameterServing
import TensorCoding

/// Bytes of an answer with whatever keeps them alive.
final class EncodedBody: Encoding {
    let body: Response.Body
    let beyond: BeyondRange

    init(_ body: Response.Body, _ beyond: BeyondRange) {
        self.body = body
        self.beyond = beyond
    }
}

/// Memory that answers share; filled before the first of them is sent.
final class SharedBytes: @unchecked Sendable {
    /// To be filled by the one who made it.
    let target: UnsafeMutableRawBufferPointer
    private let memory: Reservation?

    /// Memory to be filled, with its place in the budget.
    init(count: Int, memory: Reservation?) {
        target = .allocate(byteCount: count, alignment: 16)
        self.memory = memory
    }

    /// A copy of some bytes, with its place in the budget.
    convenience init(_ source: [UInt8], memory: Reservation? = nil) {
        self.init(count: source.count, memory: memory)
        target.copyBytes(from: source)
    }

    deinit { target.deallocate() }

    var segment: Response.Segment { Response.Segment(owner: self, bytes: UnsafeRawBufferPointer(target)) }
}

/// One pull's answer.
struct PullAnswer: Sendable {
    private let call: Call
    private let version: PublishedVersion
    private let selection: Selection
    private let isIndented: Bool
    private let isImmutable: Bool

    /// Makes the answer for one selection of one version; under its permanent name it may be cached forever.
    init(_ call: Call, _ version: PublishedVersion, _ selection: Selection, isImmutable: Bool = false) {
        self.isImmutable = isImmutable
        self.call = call
        self.version = version
        self.selection = selection
        isIndented = call.isIndented && selection.representation == .json
    }

    private var key: String { isIndented ? selection.key + "-i" : selection.key }

    /// The tag of this answer.
    var tag: EntityTag { EntityTag(version, key) }

    /// What every answer about this version says in its head, a 304 too.
    var headers: [(name: String, value: String)] {
        let path = "/v1/models/\(version.facts.name)/versions/\(version.uid)-\(version.version)/parameters"
        let query = call.selectionQuery
        return [
            (name: "ETag", value: tag.text),
            (name: "Cache-Control", value: isImmutable ? "public, max-age=31536000, immutable" : "no-cache"),
            (name: "Vary", value: "Accept, User-Agent"),
            (name: "Content-Location", value: path + (selection.representation == .json ? "" : ".safetensors") + query),
        ] + versionHeaders(version) + preferenceApplied + call.replayHeaders
    }

    /// What an answer says in its head that is not the pull that its address names.
    private var ownHeaders: [(name: String, value: String)] {
        headers.filter { !["ETag", "Content-Location"].contains($0.name) }
    }

    /// The head of a push's answer; the body has the receipt too only where it is JSON, and is then no pull's.
    private func headers(with receipt: Receipt) -> [(name: String, value: String)] {
        var fields = selection.representation == .json ? ownHeaders : headers
        fields += [
            (name: "X-Paramd-Applied", value: "\(receipt.applied)"),
            (name: "X-Paramd-Overflow", value: "\(receipt.overflow)"),
            (name: "X-Paramd-Replayed", value: "\(receipt.replayed)"),
        ]
        if let scale = receipt.nextLossScale { fields.append((name: "X-Paramd-Loss-Scale", value: "\(scale)")) }
        return fields
    }

    private var preferenceApplied: [(name: String, value: String)] {
        guard let wait = call.preferredWait else { return [] }
        let (seconds, rest) = wait.components
        return [(name: "Preference-Applied", value: "wait=\(rest == 0 ? "\(seconds)" : "\(wait / .seconds(1))")")]
    }

    /// Completes the exchange with the parameters, or with 304 when the client has them.
    func complete(_ exchange: Exchange, receipt: Receipt? = nil) {
        let isRepeat = receipt == nil && tag.matches(ifNoneMatch: call.request.headers)
        if isRepeat { return exchange.complete { [headers] in Response(status: 304, headers: headers) } }
        let fields = (receipt.map(headers(with:)) ?? headers) + contentHeaders
        exchange.complete { [self] in
            // Runs on a network thread; only the first to ask encodes, and a receipt is nobody else's.
            do throws(ServingError) {
                let isShared = receipt == nil || selection.representation != .json
                let encoded =
                    isShared
                    ? try version.encodings.encoding(key) { () throws(ServingError) in try encode(nil) }
                    : try encode(receipt)
                return Response(status: 200, headers: fields + encoded.beyond.headers, body: encoded.body)
            } catch {
                return refusal(error, receipt)
            }
        }
    }

    /// Says that there are no parameters; a push that was to bring them stays applied.
    private func refusal(_ error: ServingError, _ receipt: Receipt?) -> Response {
        var problem = Problem(error)
        guard let receipt else { return problem.response(for: call.request) }
        problem.detail =
            "The push was applied as step \(receipt.step), but the parameters do not fit into memory now. Pull them with GET .../parameters.safetensors, which needs the least memory. If you send the push again, use the same seq or Idempotency-Key, so that it is not applied twice."
        return problem.response(for: nil)
    }

    /// The answer when the condition does not hold in time: 202 for `min_step`, 304 for `since`.
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
        case .json: [(name: "Content-Type", value: "application/json")]
        case .safetensors:
            safetensorsHeaders(version.facts.name)
        }
    }

    /// The body, its memory taken from the budget: JSON at its longest while it is made, then what it took.
    private func encode(_ receipt: Receipt?) throws(ServingError) -> EncodedBody {
        let budget = call.api.registry.budget
        let memory = try budget.reserve(largestBody)
        let beyond = BeyondRange(version, selection)
        switch selection.representation {
        case .json:
            let text = json(receipt, beyond)
            return EncodedBody(.segments([SharedBytes(text, memory: try budget.reserve(text.count)).segment]), beyond)
        case .safetensors: return EncodedBody(.segments(safetensors(memory)), beyond)
        }
    }

    /// The most bytes that the body takes, the copy that is made on the way included.
    private var largestBody: Int {
        let parameters = selection.indices.map { version.facts.layout.parameters[$0] }
        let isArena =
            selection.representation == .safetensors
            && parameters.allSatisfy { selection.encoding.type(of: $0) == .float32 }
        let perNumber = selection.representation == .json ? 32 : isArena ? 0 : 8
        return parameters.reduce(0) { $0 + 256 + $1.name.utf8.count + $1.range.count * perNumber }
    }

    private func json(_ receipt: Receipt?, _ beyond: BeyondRange) -> [UInt8] {
        var writer = JSONWriter(indented: isIndented)
        writer.beginObject()
        writer.member("model", version.facts.name)
        writer.members(of: version)
        if let receipt {
            writer.key("receipt")
            writer.receipt(receipt, of: version.facts)
        }
        writer.key("parameters")
        writer.beginObject()
        for index in selection.indices { write(index, to: &writer) }
        writer.endObject()
        writer.warnings(beyond)
        writer.endObject()
        return writer.finish()
    }

    private func write(_ index: Int, to writer: inout JSONWriter) {
        let parameter = version.facts.layout.parameters[index]
        writer.key(parameter.name)
        writer.beginObject()
        writer.members(of: version.values(at: index), parameter, parameter.shape.dimensions, selection.encoding)
        writer.endObject()
    }

    /// `memory` lives as long as the head, which every answer sends.
    private func safetensors(_ memory: Reservation) -> [Response.Segment] {
        let layout = version.facts.layout
        let tensors = selection.indices.map { index in
            (
                name: layout.parameters[index].name, type: selection.encoding.type(of: layout.parameters[index]),
                shape: layout.parameters[index].shape.dimensions
            )
        }
        let head = SharedBytes(SafetensorsHeader.encode(tensors, metadata: versionMetadata(version)), memory: memory)
            .segment
        return [head] + data()
    }

    /// The values: the arena itself where they go out as they are.
    private func data() -> [Response.Segment] {
        let layout = version.facts.layout
        var segments: [Response.Segment] = []
        var range = 0..<0
        func flush() {
            guard !range.isEmpty else { return }
            segments.append(
                Response.Segment(owner: version, bytes: UnsafeRawBufferPointer(version.arena.buffer[range])))
            range = 0..<0
        }
        for index in selection.indices {
            let parameter = layout.parameters[index]
            let type = selection.encoding.type(of: parameter)
            if type == .float32 {
                if range.upperBound != parameter.range.lowerBound { flush() }
                range = (range.isEmpty ? parameter.range.lowerBound : range.lowerBound)..<parameter.range.upperBound
            } else {
                flush()
                segments.append(SharedBytes(version.values(at: index).encoded(as: type)).segment)
            }
        }
        flush()
        return segments
    }
}
