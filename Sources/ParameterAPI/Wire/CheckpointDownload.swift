// A checkpoint as a safetensors file: a header made here in front of the values as they lie on disk. Ranges of it are
// read alone, so that a tool can look at the header of a large file without fetching the rest.

import HTTPServing
import ParameterServing
import TensorCoding

/// The answer with a checkpoint's file.
struct CheckpointDownload {
    private let file: CheckpointFile
    private let header: [UInt8]
    private let name: String

    init(_ file: CheckpointFile, _ model: Model) {
        self.file = file
        name = "\(model.name)-\(file.facts.step)"
        var image: [UInt8] = []
        file.head.withUnsafeBytes { Base64.encode($0, into: &image) }
        let tensors = file.tensors.map { (name: $0.name, type: ElementType.float32, shape: $0.shape.dimensions) }
        header = SafetensorsHeader.encode(
            tensors,
            metadata: [
                ("format", "pt"), ("paramd.model", model.name), ("paramd.step", "\(file.facts.step)"),
                ("paramd.version", "\(file.facts.version)"),
                (ModelFile.imageKey, String(decoding: image, as: UTF8.self)),
            ])
    }

    private var count: Int { header.count + file.valueBytes }

    /// The whole file, or the range that the request asks for.
    ///
    /// - Throws: `rangeNotSatisfiable` for a range outside the file. Source: RFC 9110, section 14.
    func response(_ call: Call) throws(Problem) -> Response {
        // A number may come again when the newest checkpoint is deleted before a restart, but not with the same version in
        // the same second.
        let facts = file.facts
        let tag = "\"\(facts.id).\(facts.version).\(facts.created).checkpoint\""
        let headers =
            safetensorsHeaders(name) + [
                (name: "ETag", value: tag), (name: "Accept-Ranges", value: "bytes"),
            ]
        let isStale = call.request.headers["If-Range"].map { $0 != tag } ?? false
        // A range means something in a GET alone: RFC 9110, section 14.2.
        let range = isStale || call.request.method == .head ? nil : call.request.headers["Range"]
        guard let wanted = try ByteRange(range, of: count)?.bytes else {
            return Response(status: 200, headers: headers, body: .segments([try segment(0..<count, call).segment]))
        }
        let part = (name: "Content-Range", value: "bytes \(wanted.lowerBound)-\(wanted.upperBound - 1)/\(count)")
        return Response(status: 206, headers: headers + [part], body: .segments([try segment(wanted, call).segment]))
    }

    private func segment(_ range: Range<Int>, _ call: Call) throws(Problem) -> SharedBytes {
        do throws(ServingError) {
            let memory = try call.api.registry.budget.reserve(range.count)
            let bytes = SharedBytes(count: range.count, memory: memory)
            try fill(bytes.target, from: range)
            return bytes
        } catch {
            throw Problem(error)
        }
    }

    private func fill(_ target: UnsafeMutableRawBufferPointer, from range: Range<Int>) throws(ServingError) {
        let fromHeader = range.clamped(to: 0..<header.count)
        header.withUnsafeBytes { source in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[fromHeader]))
        }
        guard range.upperBound > header.count else { return }
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[fromHeader.count...])
        let offset = max(0, range.lowerBound - header.count)
        do {
            try file.read(into: rest, at: offset)
        } catch {
            throw ServingError(storage: error)
        }
    }
}

/// A `Range` header with one range of bytes.
struct ByteRange {
    let bytes: Range<Int>

    /// Reads the header; nil where there is none or where it is to be ignored, as more than one range is.
    ///
    /// - Throws: `rangeNotSatisfiable` where it lies outside.
    init?(_ header: String?, of count: Int) throws(Problem) {
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else { return nil }
        let parts = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map {
            $0.trimmingSpaces()
        }
        guard parts.count == 2 else { return nil }
        switch (Int(parts[0]), Int(parts[1])) {
        case (let first?, let last?) where last >= first: bytes = min(first, count)..<min(last, count - 1) + 1
        case (let first?, nil) where parts[1].isEmpty: bytes = min(first, count)..<count
        case (nil, let suffix?) where parts[0].isEmpty: bytes = max(0, count - suffix)..<count
        default: return nil
        }
        guard bytes.isEmpty else { return }
        var problem = Problem(.rangeNotSatisfiable, "The file has \(count) bytes; ask for a range within.")
        problem.fileSize = count
        throw problem
    }
}
