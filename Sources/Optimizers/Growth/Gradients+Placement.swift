// Gradients that were read for another placement of the model's parameters: moved by name to where the parameters are
// now.

import Names

extension Gradients {
    /// What happens to a gradient that has fewer rows than its parameter has now.
    public enum ShortRows: Sendable {
        /// It does not fit.
        case misfit
        /// The missing rows count as zero.
        case zero
    }

    /// These gradients as those of another placement.
    ///
    /// - Parameters:
    ///   - old: The placement that they were read for.
    ///   - new: The placement that they are moved to.
    ///   - buffer: The memory of the moved dense values, as large as `new`; nil to move only what says which parameters
    ///     have a gradient, for a check.
    ///   - shortRows: What to do about a dense gradient with fewer rows than the parameter.
    /// - Returns: The moved gradients, and the names of those that do not fit: of parameters that are gone, no longer
    ///   trained, or of another shape.
    public func moved(
        from old: Placement, to new: Placement, into buffer: FloatBuffer?, shortRows: ShortRows
    ) -> (gradients: Gradients, misfits: [Name]) {
        var (moved, misfits) = (Gradients(dense: buffer ?? dense, parameterCount: new.places.count), [Name]())
        (moved.isFinite, moved.isUnscaled, moved.isClipped) = (isFinite, isUnscaled, isClipped)
        for (index, place) in old.places.enumerated() where has(index) {
            guard let target = new.index(of: place.definition.name), new.places[target].definition.isTrainable else {
                misfits.append(place.definition.name)
                continue
            }
            let (was, now) = (place.definition.shape, new.places[target].definition.shape)
            if isDense[index], now == was || shortRows == .zero && now.hasRows(of: was) {
                buffer?.fill(new.ranges[target], from: dense[old.ranges[index]])
                moved.isDense[target] = true
            } else if let rows = sparse[index], now.hasRows(of: was),
                rows.indices.allSatisfy({ $0 < now.dimensions.first ?? 0 })
            {
                moved.sparse[target] = rows
            } else {
                misfits.append(place.definition.name)
            }
        }
        return (moved, misfits)
    }
}

extension FloatBuffer {
    /// Copies values to the start of a range, and fills the rest of it with zeros.
    fileprivate func fill(_ range: Range<Int>, from source: UnsafeMutableBufferPointer<Float>) {
        let target = self[range]
        target.update(repeating: 0)
        _ = target.prefix(source.count).update(fromContentsOf: source.prefix(target.count))
    }
}
