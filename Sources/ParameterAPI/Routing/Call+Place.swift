// The thread for the work of a request. A network thread serves thousands of connections, so it does only work that is
// short for every request; all other work takes turns with the models on the model threads.

import HTTPServing
import ParameterServing

extension Call {
    /// Decides how to handle the request; if that may take long and no body is expected, a model thread decides.
    func plan() throws(Problem) -> Plan {
        let wantsNoBody = route.method == .get || route.bodies.isEmpty && !request.announcesBody
        guard wantsNoBody, !isShort else { return try route.endpoint(self) }
        return .answer { [self] exchange in
            carryOut(exchange) { () throws(Problem) in
                if case .answer(let body) = try self.route.endpoint(self) { body(exchange) }
            }
        }
    }

    /// Executes a complete request: here if it is short, otherwise on a model thread.
    ///
    /// An error thrown by `body` becomes the answer.
    ///
    /// The caller does not use the data of `body` afterwards, so it may move to the other thread.
    func carryOut(_ exchange: Exchange, _ body: @escaping () throws(Problem) -> Void) {
        nonisolated(unsafe) let body = body
        let run: @Sendable () -> Void = { [self] in
            do throws(Problem) { try body() } catch { answer(exchange, error) }
        }
        if isShort { run() } else { api.registry.slices.add(run) }
    }

    /// Completes the exchange with the result of `make`: on the network thread if `isShort`, otherwise on a model
    /// thread.
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
    /// The answer with its bytes in the memory that they are sent from, so that the network thread need not copy them;
    /// unchanged if there is no memory for that.
    func laidOut(in budget: MemoryBudget) -> Response {
        guard case .bytes(let bytes) = body, bytes.count > PieceSize.inPlace,
            let memory = loan ?? (try? budget.reserve(bytes.count))
        else { return self }
        var response = self
        response.body = .segments([SharedBytes(bytes, memory: memory).segment])
        return response
    }
}
