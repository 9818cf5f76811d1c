// The round of an uploaded file: the records of its pushes from the metadata, and their gradients from the tensors
// `PARAMETER#held.K`. The file may have been changed on its way, so that everything in it is checked.

import Journal
import Names
import Optimizers

/// The round of an uploaded file.
struct FileRound {
    /// The round, as a new model has it.
    private(set) var image: RoundImage
    /// The names of its tensors.
    private(set) var names: Set<Name> = []

    /// Completes the round of a head whose records have no values.
    ///
    /// - Parameters:
    ///   - image: the round in the head.
    ///   - tensors: the tensors of the file, by name.
    ///   - layout: that of the file's parameters.
    /// - Throws: `invalid` for a record that cannot be read, numbers out of range, two pushes with one key, tensors that
    ///   are missing or of another shape, and NaN or infinity in a push without.
    init(
        _ image: RoundImage, from tensors: [Name: ModelSource.FileTensor], in layout: ArenaLayout
    ) throws(OptimizerError) {
        self.image = image.ofNewModel
        var (keys, requestKeys): (Set<PushKey>, Set<Name>) = ([], [])
        for (place, held) in image.held.enumerated() {
            let record = try held.fileRecord(at: place, in: layout)
            if let key = record.key, !keys.insert(key).inserted {
                throw Self.complaint(place, "worker `\(key.worker)` has another push \(key.seq) in it")
            }
            if let key = record.tail.key?.text, !requestKeys.insert(key).inserted {
                throw Self.complaint(place, "the key `\(key)` has another push in it")
            }
            self.image.held[place].record = try record.filled(from: tensors, at: place)
            names.formUnion(record.gradients.map { HeldRecord.name(of: $0.parameter, at: place) })
        }
    }

    fileprivate static func complaint(_ place: Int, _ detail: String) -> OptimizerError {
        .invalid(
            Complaint(
                pointer: "", exception: .valueError,
                detail:
                    "push \(place) of the round in the metadata is damaged: \(detail); send the file again from its source"
            ))
    }
}

extension RoundImage.Held {
    /// The record of a push in a file, with numbers that a push can have.
    fileprivate func fileRecord(at place: Int, in layout: ArenaLayout) throws(OptimizerError) -> HeldRecord {
        let record: HeldRecord
        do throws(FormatError) { record = try HeldRecord(bytes, in: layout, hasValues: false) } catch {
            throw FileRound.complaint(place, "expected \(error.expected) at byte \(error.offset)")
        }
        let basis: Int? =
            switch record.basis {
            case .step(let step): step
            case .cursor(let cursor): cursor.version
            case nil: nil
            }
        let numbers = [
            ("gap", gap, 0), ("staleness", staleness, 0), ("epoch", record.key?.epoch, 0), ("seq", record.key?.seq, 1),
            ("based_on", basis, 0), ("num_examples", record.tail.examples, 1),
            ("time", record.tail.sighting?.time, 0),
        ]
        for (name, number, least) in numbers {
            guard let number, number < least || number >= 1 << 53 else { continue }
            throw FileRound.complaint(place, "its `\(name)` is \(number)")
        }
        let figures = record.tail.metrics.map(\.value) + (record.head.loss.map { [$0] } ?? [])
        guard figures.allSatisfy(\.isFinite) else {
            throw FileRound.complaint(place, "its loss or one of its metrics is not a finite number")
        }
        return record
    }
}

extension HeldRecord {
    /// The whole record, with the values of the file's tensors.
    fileprivate func filled(
        from tensors: [Name: ModelSource.FileTensor], at place: Int
    ) throws(OptimizerError) -> [Bytes] {
        var pieces = [Bytes(copying: ends.before)]
        for gradient in gradients {
            let name = Self.name(of: gradient.parameter, at: place)
            guard let tensor = tensors[name] else { throw Self.complaint(name, "the file has no tensor `\(name)`") }
            let (wanted, values) = (gradient.shape.dimensions, tensor.values.values)
            guard tensor.shape == wanted, values.count == gradient.shape.elementCount else {
                throw Self.complaint(name, "`\(name)` has shape \(wanted), not \(tensor.shape)")
            }
            guard head.isNonFinite || VectorMath.allFinite(UnsafeMutableBufferPointer(mutating: values)) else {
                throw Self.complaint(name, "`\(name)` holds NaN or infinity, and its push did not")
            }
            pieces.append(Bytes(UnsafeRawBufferPointer(values), owner: tensor.values.owner))
        }
        return pieces + [Bytes(copying: ends.after)]
    }

    private static func complaint(_ name: Name, _ detail: String) -> OptimizerError {
        .invalid(Complaint(pointer: "/\(name.pointerEscaped)", exception: .valueError, detail: detail))
    }
}
