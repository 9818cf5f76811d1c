// Slots, counts and scalars from a file into a live model, as a restore that keeps the parameters' values, so that the
// journal handles them like any other restore.

import Optimizers

extension ModelRegistry {
    /// Replaces the optimizer's state of a model, all of it or nothing; parameters keep their values.
    ///
    /// - Parameter reply: called once.
    public func importState(
        _ named: NamedState, of model: Model, key: RequestKey? = nil, ifVersion: [Int]? = nil,
        reply: @escaping ChangeReply<ChangedVersion>
    ) {
        do throws(ServingError) {
            let (state, memory) = try freshState(of: named, like: model.publication.current.facts)
            var key = key
            key?.body = state.fingerprint
            let change = Change.restore(Restoration(arena: nil, optimizer: state))
            model.submit(change.under(key, ifVersion: ifVersion)) { result in
                withExtendedLifetime(memory) { reply(result) }
            }
        } catch {
            reply(.failure(error))
        }
    }

    /// A copy of the state in memory that the budget lends until it has been copied into the model.
    private func freshState(
        of named: NamedState, like facts: ModelFacts
    ) throws(ServingError) -> (OptimizerState, Reservation) {
        let parameters = facts.layout.parameters.map {
            ParameterDefinition(name: $0.name, shape: $0.shape, isTrainable: $0.isTrainable)
        }
        let bytes = try wrapping { () throws(OptimizerError) in
            try catalogue.memoryNeeded(definition: facts.settings, parameters: parameters)
        }
        let memory = try budget.reserve(bytes)
        return try wrapping { () throws(OptimizerError) in
            let optimizer = try catalogue.makeOptimizer(definition: facts.settings, parameters: parameters)
            try optimizer.adopt(named)
            return (optimizer.exportState(), memory)
        }
    }
}

extension OptimizerState {
    /// Equal for states that are equal to the bit.
    fileprivate var fingerprint: Fingerprint {
        let builder = Fingerprint.Builder()
        var head = ByteWriter()
        head.write(self)
        head.bytes.withUnsafeBytes { builder.add($0) }
        for buffer in buffers { builder.add(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
        return builder.fingerprint
    }
}
