// The content of a pull's answer: a selection of one version as JSON or as a safetensors file, the same for all
// clients. `PullEncoding` makes it, `PullAnswer` sends it.

import HTTPServing
import Names
import Optimizers
import ParameterServing
import TensorCoding

/// A selection of one version in one representation.
struct PullContent: Sendable {
    let version: PublishedVersion
    let selection: Selection
    let isIndented: Bool
    /// The values: the parameters, or an average of them.
    private let arena: Arena
    private let average: PublishedAverage?
    private let layout: ArenaLayout

    /// Finds the values of a selection in a version.
    ///
    /// - Throws: `unknownAverage`, or `averageNotStarted` for one without values.
    init(_ version: PublishedVersion, _ selection: Selection, isIndented: Bool) throws(ServingError) {
        (self.version, self.selection, self.isIndented) = (version, selection, isIndented)
        layout = version.facts.layout
        arena = try version.values(of: selection.average)
        average = try selection.average.map { name throws(ServingError) in try version.average(name) }
    }

    /// The values of the parameter at `index` in update order.
    func values(at index: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(arena.buffer[layout.parameters[index].range])
    }

    /// The least and the most bytes to be made; values sent from memory without a copy do not count.
    var bytes: ClosedRange<Int> {
        var (least, most) = (0, 512)
        for index in selection.indices {
            let tensor = tensor(index)
            switch selection.representation {
            case .json:
                least += tensor.bytes.lowerBound
                most += tensor.bytes.upperBound
            case .safetensors:
                let made = tensor.type == .float32 ? 0 : tensor.values.count * tensor.type.size
                least += made
                most += made + 256 + 22 * tensor.shape.count + (tensor.key?.utf8.count ?? 0)
            }
        }
        return least...most
    }

    /// The content in pieces.
    ///
    /// - Parameter receipt: the receipt of the push being answered; only JSON contains it.
    func maker(_ receipt: Receipt?, _ beyond: BeyondRange) -> any PieceMaker {
        switch selection.representation {
        case .json: document(receipt, beyond)
        case .safetensors: TensorFile(head, selection.indices.map { (tensor($0).values, tensor($0).type) })
        }
    }

    private func document(_ receipt: Receipt?, _ beyond: BeyondRange) -> TensorDocument {
        TensorDocument(
            indented: isIndented,
            front: { writer in
                writer.beginObject()
                writer.member("model", version.facts.name)
                writer.members(of: version)
                writer.members(of: average)
                if let receipt {
                    writer.key("receipt")
                    writer.receipt(receipt, of: version.facts)
                }
                writer.key("parameters")
                writer.beginObject()
            },
            tensors: selection.indices.count, tensor: { tensor(selection.indices[$0]) },
            back: { writer in
                writer.endObject()
                writer.warnings(beyond)
                writer.endObject()
            })
    }

    private func tensor(_ index: Int) -> DocumentTensor {
        let parameter = layout.parameters[index]
        return DocumentTensor(
            key: parameter.name, shape: parameter.shape.dimensions, type: selection.encoding.type(of: parameter),
            encoding: selection.encoding, values: TensorValues(values(at: index), keptBy: version))
    }

    private var head: [UInt8] {
        let tensors = selection.indices.map(tensor).map { (name: $0.key ?? "", type: $0.type, shape: $0.shape) }
        return SafetensorsHeader.encode(tensors, metadata: versionMetadata(version, average))
    }

    /// A safetensors file whose values are sent without a copy; types other than float32 are converted here.
    ///
    /// - Parameter memory: the loan for the converted values; it lives as long as the header, which every answer sends.
    func segments(_ memory: Reservation) -> [Response.Segment] {
        var segments = [SharedBytes(head, memory: memory).segment]
        var range = 0..<0
        func flush() {
            guard !range.isEmpty else { return }
            // The owner is the arena and not the version: the version keeps these segments for others and must not keep
            // itself.
            segments.append(
                Response.Segment(owner: arena, bytes: UnsafeRawBufferPointer(arena.buffer[range])))
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
                segments.append(SharedBytes(type.encode(values(at: index))).segment)
            }
        }
        flush()
        return segments
    }
}
