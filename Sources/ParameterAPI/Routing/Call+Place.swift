// Where the work of a request is done. A network thread serves thousands of connections, so it does what is short whatever
// the request says; all else is done on the threads of the models, in turn with them. Nothing but the bytes is left to it.

import HTTPServing
import ParameterServing

extension Call {
    /// Whether whatever the request asks for takes well under a millisecond: the names that it is about, once for each of its
    /// arguments, and the bytes of its body are few.
    var isShort: Bool {
        let body = request.isChunked ? .max : request.contentLength ?? 0
        let names = route.scope == .none ? 0 : api.registry.nameCount(of: arguments["m"])
        return body <= PieceSize.inPlace && names * (1 + request.query.count) <= FixedLimits.namesInPlace
    }

    /// What becomes of the request; without a body that is decided where there is time for it.
    func plan() throws(Problem) -> Plan {
        let wantsNoBody = route.method == .get || route.bodies.isEmpty && !request.announcesBody
        guard wantsNoBody, !isShort else { return try route.endpoint(self) }
        return .answer { exchange in
            carryOut(exchange) { () throws(Problem) in
                if case .answer(let body) = try route.endpoint(self) { body(exchange) }
            }
        }
    }

    /// Does what a complete request asks for: here where that is short, else on a thread of the models; what `body` throws is
    /// the answer.
    ///
    /// Who calls it does not touch again what `body` holds, so that all of it may move to the other thread.
    func carryOut(_ exchange: Exchange, _ body: @escaping () throws(Problem) -> Void) {
        nonisolated(unsafe) let body = body
        let run: @Sendable () -> Void = { [self] in
            do throws(Problem) { try body() } catch { answer(exchange, error) }
        }
        if isShort { run() } else { api.registry.slices.add(run) }
    }

    /// Completes the exchange with what `make` makes: on the network thread where that is short, else on a thread of the models.
    func complete(_ exchange: Exchange, isShort: Bool, _ make: @escaping Exchange.Making) {
        if isShort { return exchange.complete(make) }
        let budget = api.registry.budget
        api.registry.slices.add {
            let response = make().laidOut(in: budget)
            exchange.complete { response }
        }
    }
}

extension Response {
    /// The answer with its bytes where they will be sent from, so that the network thread has none to copy; as it is where there
    /// is no memory for that.
    func laidOut(in budget: MemoryBudget) -> Response {
        guard case .bytes(let bytes) = body, bytes.count > PieceSize.inPlace,
            let memory = loan ?? (try? budget.reserve(bytes.count))
        else { return self }
        var response = self
        response.body = .segments([SharedBytes(bytes, memory: memory).segment])
        return response
    }
}
