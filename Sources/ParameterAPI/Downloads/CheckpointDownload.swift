// A checkpoint as a safetensors file: a header made here, followed by the values from disk. Ranges are read on their
// own, so that a tool can read the header of a large file without fetching the rest.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The answer with a checkpoint's file.
struct CheckpointDownload {
    private let file: CheckpointFile
    private let part: CheckpointFile.Part
    private let header: [UInt8]
    private let name: String
    private let tag: String
    /// The budget's loan for the header and its parts.
    private let memory: Reservation

    /// Makes the header of the whole file, which can become a model again, or of an average in it.
    ///
    /// Its checksum covers all values and is computed once.
    init(_ file: CheckpointFile, _ part: CheckpointFile.Part, _ model: Model, _ call: Call) throws(Problem) {
        (self.file, self.part) = (file, part)
        let facts = file.facts
        let suffix = part.average.map { "-\($0.name)" } ?? ""
        // A number may be reused if the newest checkpoint is deleted before a restart, but not with the same version in
        // the same second.
        tag = "\"\(facts.id).\(facts.version).\(facts.created).checkpoint\(suffix)\""
        name = "\(model.name)-\(file.facts.step)\(suffix)"
        let held = part.average == nil ? HeldMetadata.text(of: file) : nil
        // The head as base64, as text, and in the header, each a third longer; the pushes as text and in the header.
        let bytes = 4 * file.head.count + 3 * (held?.utf8.count ?? 0)
        do throws(ServingError) { memory = try call.api.registry.budget.reserve(bytes) } catch {
            throw Problem(error)
        }
        let tensors = part.tensors.map { (name: $0.name, type: ElementType.float32, shape: $0.shape.dimensions) }
        let metadata: [(Name, String)] =
            [
                ("format", "pt"), ("paramd.model", model.name), ("paramd.step", "\(facts.step)"),
                ("paramd.version", "\(facts.version)"),
            ] + Self.content(of: file, part) + (held.map { [(HeldMetadata.key, $0)] } ?? [])
        do throws(ServingError) {
            let checksum = try call.api.checksums.value("\(model.uid) \(tag)") { () throws(ServingError) in
                FileChecksum.text(metadata: metadata, tensors: try Self.checked(file, part))
            }
            header = SafetensorsHeader.encode(tensors, metadata: metadata + [(FileChecksum.key, checksum)])
        } catch {
            throw Problem(error)
        }
    }

    /// What the tensors are: a model, or an average.
    private static func content(of file: CheckpointFile, _ part: CheckpointFile.Part) -> [(Name, String)] {
        if let average = part.average {
            return averageMetadata(average.name, updates: average.updates)
        }
        var image: [UInt8] = []
        file.head.withUnsafeBytes { Base64.encode($0, into: &image) }
        return [(ModelFile.imageKey, String(decoding: image, as: UTF8.self))]
    }

    /// The checksum's input from the values, read in pieces.
    private static func checked(
        _ file: CheckpointFile, _ part: CheckpointFile.Part
    ) throws(ServingError) -> [FileChecksum.Tensor] {
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { window.deallocate() }
        var (offset, tensors): (Int, [FileChecksum.Tensor]) = (part.bytes.lowerBound, [])
        for tensor in part.tensors {
            let builder = Fingerprint.Builder()
            let end = offset + tensor.shape.elementCount * MemoryLayout<Float>.stride
            while offset < end {
                let piece = UnsafeMutableRawBufferPointer(rebasing: window[..<min(window.count, end - offset)])
                do { try file.read(into: piece, at: offset) } catch { throw ServingError(storage: error) }
                builder.add(UnsafeRawBufferPointer(piece))
                offset += piece.count
            }
            tensors.append((tensor.name, tensor.shape.dimensions, builder.fingerprint))
        }
        return tensors
    }

    private var count: Int { header.count + part.bytes.count }

    /// The whole file, or the range that the request asks for.
    ///
    /// - Throws: `rangeNotSatisfiable` for a range outside the file. Source: RFC 9110, section 14.
    func response(_ call: Call) throws(Problem) -> Response {
        let headers =
            safetensorsHeaders(name) + [
                (name: "ETag", value: tag), (name: "Accept-Ranges", value: "bytes"),
            ]
        let isStale = call.request.headers["If-Range"].map { $0 != tag } ?? false
        // A range only has a meaning in a GET: RFC 9110, section 14.2.
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
            try file.read(into: rest, at: part.bytes.lowerBound + offset)
        } catch {
            throw ServingError(storage: error)
        }
    }
}

/// A `Range` header with one range of bytes.
struct ByteRange {
    let bytes: Range<Int>

    /// Reads the header; nil if there is none or if it must be ignored, such as one with several ranges.
    ///
    /// - Throws: `rangeNotSatisfiable` if the range is outside the file.
    init?(_ header: String?, of count: Int) throws(Problem) {
        guard let header, header.lowercased().hasPrefix("bytes="), !header.contains(",") else { return nil }
        let range = header.dropFirst(6).trimmingSpaces()
        let parts = range.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        switch (Int(clampingDigits: parts[0]), Int(clampingDigits: parts[1])) {
        case (let first?, let last?) where last >= first: bytes = min(first, count)..<min(last, count - 1) + 1
        case (let first?, nil) where parts[1].isEmpty: bytes = min(first, count)..<count
        case (nil, let suffix?) where parts[0].isEmpty: bytes = max(0, count - suffix)..<count
        default: return nil
        }
        guard bytes.isEmpty else { return }
        var problem = Problem(
            .rangeNotSatisfiable, "The file has \(count.counted("byte", "bytes")); ask for a range within it.")
        problem.fileSize = count
        throw problem
    }
}
